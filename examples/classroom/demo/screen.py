"""Prints the demo in at most 100 columns; a Chinese character takes two."""

import io
import sys
from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from errgrpc import ErrorCode, RemoteError

from .stage import Scene
from .story import Chapter, Step
from .wire import Seen

__all__ = ["closing", "console", "heading", "opening", "show"]

WIDTH = 100
CODE = "bold magenta"


def console() -> Console:
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A pipe or an old terminal may have an encoding without Chinese.
        sys.stdout.reconfigure(encoding="utf-8")
    found = Console(highlight=False, emoji=False, markup=False)
    return Console(
        highlight=False,
        emoji=False,
        markup=False,
        width=min(found.width, WIDTH) if found.is_terminal else WIDTH,
    )


def opening(console: Console) -> None:
    text = Text.assemble(
        ("一张错误码表，就是服务的契约", "bold"),
        ("\nOne table of error codes is the contract of a service", "bold"),
        "\n\n每一步在同步和 asyncio 服务端上各走一遍，中文、英文各一次。",
        ("\nEach step is taken in sync and in asyncio, in Chinese and in English.", "dim"),
    )
    console.print(Panel(text, title="errgrpc · classroom", border_style="cyan", padding=(1, 2)))


def heading(console: Console, chapter: Chapter) -> None:
    console.print()
    console.print(
        Rule(
            Text.assemble((chapter.zh, "bold cyan"), " · ", (chapter.en, "bold cyan")), style="cyan"
        )
    )


def show(
    console: Console, step: Step, scenes: Sequence[Scene], mistakes: Sequence[Sequence[str]]
) -> None:
    """Prints a step in all its scenes, with the mistakes of each scene.

    A step that is expected to succeed gets a line; any other step gets a panel.
    """
    title = Text.assemble(step.zh, ("  " + step.en, "dim"))
    if step.expect is None and not any(mistakes):
        console.print(Text.assemble(("✓ ", "green"), title))
        return
    rows = Table.grid(padding=(0, 1))
    rows.add_column(no_wrap=True, style="cyan", width=13)
    rows.add_column(ratio=1, overflow="fold")
    for label, content in _rows(step, scenes):
        rows.add_row(label, content)
    stacks = dict.fromkeys((scene.stack for scene in scenes), True)
    for scene, texts in zip(scenes, mistakes, strict=True):
        for text in texts:
            stacks[scene.stack] = False
            rows.add_row(
                Text("✗", "bold red"), Text(f"{scene.stack}, {scene.locale}: {text}", "bold red")
            )
    marks = [
        Text(f"✓ {stack}", "green") if good else Text(f"✗ {stack}", "bold red")
        for stack, good in stacks.items()
    ]
    console.print(
        Panel(
            Group(title, rows),
            title=Text.assemble((step.method, "bold"), f" · {step.kind}"),
            title_align="left",
            subtitle=Text(" ").join(marks),
            subtitle_align="right",
            box=box.ROUNDED,
            border_style="red" if any(mistakes) else "bright_black",
        )
    )


def closing(console: Console, chapters: Sequence[Chapter], problems: int, seconds: float) -> None:
    steps = [step for chapter in chapters for step in chapter.steps]
    kinds: dict[ErrorCode, dict[str, None]] = {}
    for step in steps:
        if step.expect is not None and not step.inferred:
            kinds.setdefault(step.expect, {})[step.kind] = None
    table = Table(
        box=box.SIMPLE_HEAD,
        title=Text("出现过的错误码  The codes that were seen", "bold"),
        title_justify="left",
    )
    table.add_column("number", justify="right")
    table.add_column("code", style=CODE, no_wrap=True)
    table.add_column("gRPC", no_wrap=True)
    table.add_column("HTTP", justify="right")
    table.add_column("in")
    for code in sorted(kinds, key=lambda code: (code.domain, code.number)):
        http = "" if code.http_status is None else str(code.http_status)
        table.add_row(
            str(code.number),
            code.name,
            code.grpc_status.name,
            http,
            ", ".join(kind.split()[0] for kind in kinds[code]),
        )
    console.print()
    console.print(table)
    errors = sum(step.expect is not None for step in steps)
    count = f"{len(kinds)} codes, {errors} errors x 2 stacks x 2 languages, {seconds:.1f} s"
    if problems:
        console.print(
            Text(f"✗ {problems} 处与预期不符  {problems} not as expected   {count}", "bold red")
        )
    else:
        console.print(
            Text.assemble(("✓ 全部符合预期  All as expected", "bold green"), f"   {count}")
        )


def _rows(step: Step, scenes: Sequence[Scene]) -> Iterator[tuple[str, RenderableType]]:
    first = scenes[0]
    if first.raised is not None:
        yield (
            "抛出 raised",
            Text.assemble((type(first.raised).__name__, "bold"), f" {first.raised}"),
        )
    elif step.inferred:
        yield "抛出 raised", Text("(nothing)", "dim")
    if first.log is not None:
        yield "日志 log", Text(f"{first.log.levelname} {first.log.getMessage()}")
    if first.events:
        yield (
            "收到 received",
            Text("\n".join(" ".join(str(event).split()) for event in first.events)),
        )
    if first.wire is not None:
        yield "传输 wire", _wire(first.wire, scenes[1].wire)
    if first.caught is not None:
        yield "捕获 caught", _caught(scenes)


def _wire(seen: Seen, in_english: Seen | None) -> RenderableType:
    rows = _pairs()
    rows.add_row("grpc-status", Text(f"{seen.status.value[0]} {seen.status.name}"))
    rows.add_row("grpc-message", Text(seen.message))
    if seen.raw is None:
        rows.add_row("details", Text("(none)", "dim"))
    others = dict(in_english.lines()) if in_english is not None else {}
    for name, text in seen.lines():
        both = (text, others[name]) if name == "LocalizedMessage" and name in others else (text,)
        rows.add_row(name, Text("\n".join(both)))
    return rows


def _caught(scenes: Sequence[Scene]) -> RenderableType:
    error = scenes[0].caught
    if not isinstance(error, RemoteError):
        return Text(repr(error), "bold red")
    hints = [scene.caught.hint for scene in scenes[:2] if isinstance(scene.caught, RemoteError)]
    rows = _pairs()
    kind = "RemoteError" if type(error) is RemoteError else type(error).__qualname__
    rows.add_row("except", Text(f"errgrpc.{kind}", CODE))
    rows.add_row(
        ".error_code",
        Text(
            f"{error.error_code} ({error.number})"
            + (", inferred from the status" if error.inferred else "")
        ),
    )
    rows.add_row(".hint", Text("\n".join(str(hint) for hint in hints), "bold yellow"))
    return rows


def _pairs() -> Table:
    rows = Table.grid(padding=(0, 1))
    rows.add_column(no_wrap=True, style="dim", width=16)
    rows.add_column(ratio=1, overflow="fold")
    return rows
