"""The subcommands and their options. A subcommand reads its arguments; its module does the work."""

import io
import os
import sys
from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Annotated, ParamSpec

import typer

import errgrpc
from errgrpc.cli.annotations import github
from errgrpc.cli.output import Exit, Misuse, end, errors, print_line, styled

__all__ = ["app", "run"]

_P = ParamSpec("_P")

app = typer.Typer(
    name="errgrpc",
    help="Look up, check, document, import and export the error codes of gRPC services.",
    no_args_is_help=True,
    rich_markup_mode=None if os.environ.get("NO_COLOR") else "rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Form(StrEnum):
    """The output formats of most subcommands."""

    TEXT = "text"
    JSON = "json"


class ListForm(StrEnum):
    """The output formats of `list`."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"


class DiffForm(StrEnum):
    """The output formats of `diff`."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    SARIF = "sarif"
    MARKDOWN = "markdown"


class Severity(StrEnum):
    """The severity of a change."""

    BREAKING = "breaking"
    CAUTION = "caution"
    NOTE = "note"


Catalogues = Annotated[
    list[str] | None,
    typer.Option(
        "--catalogue",
        "-c",
        metavar="SOURCE",
        help="module:Class, a .proto file, a folder of them, or a descriptor set; may be repeated. "
        "By default the `catalogues` of tool.errgrpc in pyproject.toml, or else the installed ones "
        "(entry points of the group errgrpc.catalogues) and errgrpc's own.",
    ),
]
Includes = Annotated[
    list[str] | None,
    typer.Option(
        "--include",
        "-I",
        metavar="FOLDER",
        help="A folder in which protoc looks for imports; may be repeated.",
    ),
]
AsForm = Annotated[Form, typer.Option("--format", "-f", help="The output format.")]


def _ends(command: Callable[_P, Exit]) -> Callable[_P, None]:
    """Ends the process with the exit code that the subcommand returns, or with 2 for Misuse."""

    @wraps(command)
    def ended(*arguments: _P.args, **options: _P.kwargs) -> None:
        try:
            code = command(*arguments, **options)
            sys.stdout.flush()
        except Misuse as misuse:
            line = styled("").append("errgrpc: ", "bold red")
            errors().print(line.append_text(styled(str(misuse))))
            if options.get("format") == "github":
                for fault in misuse.faults:
                    print_line(github(fault))
            code = Exit.MISUSE
        end(code)

    return ended


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"errgrpc {errgrpc.__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command("list")
@_ends
def _list(
    catalogue: Catalogues = None,
    include: Includes = None,
    status: Annotated[
        list[str] | None, typer.Option(help="Only codes with this gRPC status; may be repeated.")
    ] = None,
    http: Annotated[
        list[int] | None, typer.Option(help="Only codes with this HTTP status; may be repeated.")
    ] = None,
    locale: Annotated[
        str | None, typer.Option(help="Only codes with a hint in this locale; shows that hint.")
    ] = None,
    text: Annotated[
        str,
        typer.Option(
            help="Only codes with this text in the number, the reason or any text; ignores case."
        ),
    ] = "",
    format: Annotated[
        ListForm, typer.Option("--format", "-f", help="The output format.")
    ] = ListForm.TEXT,
) -> Exit:
    """List the codes, one on each line. Exits with 1 if no code matches.

    Examples:

      errgrpc list --status NOT_FOUND

      errgrpc list -c protos --text room --format csv
    """
    from errgrpc.cli import listing, tables

    known = tables.load(catalogue or (), include or ())
    found = list(listing.matching(known, status or (), http or (), locale, text))
    return listing.show(known, found, format, locale)


@app.command()
@_ends
def explain(
    query: Annotated[
        list[str], typer.Argument(help="A number, a reason, or all or part of a text of the code.")
    ],
    catalogue: Catalogues = None,
    include: Includes = None,
    format: AsForm = Form.TEXT,
) -> Exit:
    """Show everything that is declared for a code. Exits with 1 if no code matches.

    Examples:

      errgrpc explain 1004

      errgrpc explain 房间不存在

      errgrpc explain "Room Not Found" --format json
    """
    from errgrpc.cli import explain as room
    from errgrpc.cli import tables

    return room.show(tables.load(catalogue or (), include or ()), query, format)


@app.command()
@_ends
def diff(
    old: Annotated[
        str,
        typer.Argument(
            help="The old version: a descriptor set, a .proto file, a folder of them, "
            "or REVISION:PATH of git."
        ),
    ],
    new: Annotated[str, typer.Argument(help="The new version, in one of the same forms.")],
    include: Includes = None,
    fail_on: Annotated[
        Severity, typer.Option(help="Exit with 1 if a change has this severity or a higher one.")
    ] = Severity.BREAKING,
    allow: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="The id of a change to accept; may be repeated."),
    ] = None,
    format: Annotated[
        DiffForm, typer.Option("--format", "-f", help="The output format.")
    ] = DiffForm.TEXT,
) -> Exit:
    """Show the changes between two versions of the tables. Exits with 1 if a change is breaking.

    Examples:

      errgrpc diff main:protos protos

      errgrpc diff released.binpb protos --format markdown --allow message-changed
    """
    from errgrpc.cli import diff as room
    from errgrpc.codegen.breaking import CHANGES

    if unknown := [id_ for id_ in allow or () if id_ not in CHANGES]:
        raise Misuse(f"{unknown[0]} is no id of a change: give one of {', '.join(CHANGES)}")
    changes, places = room.compare(old, new, include or ())
    return room.show(changes, places, format, fail_on.value, allow or ())


@app.command()
@_ends
def decode(
    text: Annotated[
        list[str], typer.Argument(help="Any text with errors; `-` reads standard input.")
    ],
    catalogue: Catalogues = None,
    include: Includes = None,
    format: AsForm = Form.TEXT,
) -> Exit:
    """Decode the errors in a trailer, a log, or other text. Exits with 1 if it finds no error.

    It recognizes base64, hex, escaped bytes, JSON of AIP-193 or of the envelope, and errors in
    Python logs.

    Examples:

      errgrpc decode CAUSDlJvb20gTm90IEZvdW5k

      kubectl logs rooms | errgrpc decode -
    """
    from errgrpc.cli import tables
    from errgrpc.cli.decoding import finding, shown

    given = "\n".join(
        sys.stdin.buffer.read().decode(errors="replace") if each == "-" else each for each in text
    )
    return shown.show(tables.load(catalogue or (), include or ()), finding.find(given), format)


class LintForm(StrEnum):
    """The output formats of `lint`."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    SARIF = "sarif"


class LintSeverity(StrEnum):
    """How grave a finding is."""

    ERROR = "error"
    WARNING = "warning"


@app.command()
@_ends
def lint(
    source: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCE",
            help="module:Class, a .proto file, a folder of them, or a descriptor set. By default "
            "the `catalogues` of tool.errgrpc in pyproject.toml, else the installed catalogues and "
            "errgrpc's own.",
        ),
    ] = None,
    include: Includes = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Fix the .proto files if there is only one possible fix.")
    ] = False,
    fail_on: Annotated[
        LintSeverity, typer.Option(help="Exit with 1 from this severity upwards.")
    ] = LintSeverity.WARNING,
    baseline: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Leave out the findings that are in this file."),
    ] = None,
    write_baseline: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write all findings to this file, print none, and exit with 0."
        ),
    ] = None,
    format: Annotated[
        LintForm, typer.Option("--format", "-f", help="The output format.")
    ] = LintForm.TEXT,
) -> Exit:
    """Find weak points in a table that the generator accepts. Exits with 1 if it finds one.

    docs/lint.md describes the rules.

    Examples:

      errgrpc lint protos

      errgrpc lint protos --format github

      errgrpc lint protos --baseline lint-baseline.json
    """
    from errgrpc.cli.lint import showing

    counting = showing.Counting(fail_on.value, baseline, write_baseline)
    return showing.show(source or (), include or (), format, fix, counting)


class PageForm(StrEnum):
    """The output formats of `docs`."""

    HTML = "html"
    MARKDOWN = "markdown"
    JSON = "json"


@app.command()
@_ends
def docs(
    catalogue: Catalogues = None,
    include: Includes = None,
    format: Annotated[
        PageForm, typer.Option("--format", "-f", help="The output format.")
    ] = PageForm.HTML,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="The file to write; by default standard output."
        ),
    ] = None,
    title: Annotated[str, typer.Option(help="The heading of the reference.")] = "Error reference",
) -> Exit:
    """Write the reference of all codes, as one HTML file that works offline, Markdown or JSON.

    Examples:

      errgrpc docs -o errors.html

      errgrpc docs -c protos --title "Errors of the shop" --format markdown
    """
    from errgrpc.cli import page, tables

    return page.show(tables.load(catalogue or (), include or ()), title, format, output)


class ExportForm(StrEnum):
    """The output formats of `export`."""

    JSON = "json"
    JSON_SCHEMA = "json-schema"
    CSV = "csv"
    ANDROID = "android"
    STRINGS = "strings"
    XCSTRINGS = "xcstrings"
    I18NEXT = "i18next"
    PO = "po"
    PROPERTIES = "properties"


@app.command()
@_ends
def export(
    format: Annotated[ExportForm, typer.Argument(help="The output format.")],
    catalogue: Catalogues = None,
    include: Includes = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file to write; by default standard output."),
    ] = None,
    locale: Annotated[
        str,
        typer.Option(
            help="The locale of the hints, for android, strings, i18next, po and properties."
        ),
    ] = "",
) -> Exit:
    """Write the table, or its hints in one locale, in a format for other tools.

    Examples:

      errgrpc export json -c protos -o errors.json

      errgrpc export android -c protos --locale zh-CN -o res/values-zh-rCN/errors.xml

      errgrpc export po -c protos/shop/v1/shop_code.proto --locale de -o de.po
    """
    from errgrpc.cli import exporting, tables

    return exporting.show(tables.load(catalogue or (), include or ()), format, output, locale)


@app.command("import")
@_ends
def _import(
    file: Annotated[
        Path,
        typer.Argument(
            help="A table of codes: .csv, .tsv, .xlsx, .md with a table or a Java enum, or .java. "
            "Or translations: .po, .xml of Android, .strings, .xcstrings, .json of i18next, "
            ".properties."
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The .proto to write; by default standard output."),
    ] = None,
    package: Annotated[str, typer.Option(help="The package, such as shop.v1.")] = "",
    enum: Annotated[str, typer.Option(help="The name of the enum, such as ShopCode.")] = "",
    domain: Annotated[
        str, typer.Option(help="The domain of the codes, such as shop.example.com.")
    ] = "",
    default_locale: Annotated[
        str, typer.Option(help="The locale of hints whose column does not name one.")
    ] = "",
    fallback: Annotated[
        str, typer.Option(metavar="REASON", help="The code for an unhandled exception.")
    ] = "",
    help_url: Annotated[
        str, typer.Option(help="The page of each code: https://example.com/errors#{reason}.")
    ] = "",
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROLE=HEADER",
            help="What a column holds: number=编号, zh-CN=提示; may be repeated.",
        ),
    ] = None,
    catalogue: Annotated[
        list[str] | None,
        typer.Option(
            "--catalogue",
            "-c",
            metavar="FILE",
            help="For translations: the .proto that they belong to.",
        ),
    ] = None,
    locale: Annotated[
        str, typer.Option(help="For translations: their locale, if the file does not name it.")
    ] = "",
    include: Includes = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Overwrite the output, even if it declares what the table lacks."
        ),
    ] = False,
    format: Annotated[
        Form, typer.Option("--format", "-f", help="The format of the report on standard error.")
    ] = Form.TEXT,
) -> Exit:
    """Make an annotated .proto from a table of codes, or put translations into one.

    A report says what was renamed, guessed or lost.

    Examples:

      errgrpc import codes.xlsx --package shop.v1 --enum ShopCode --domain shop.example.com

      errgrpc import codes.csv --column number=编号 --column zh-CN=文案

      errgrpc import de.po -c protos/shop/v1/shop_code.proto -o protos/shop/v1/shop_code.proto
    """
    from errgrpc.cli import importing as room

    if catalogue:
        text, notes = room.translate(file, catalogue, include or (), locale)
    else:
        wanted = room.Wanted(package, enum, domain, default_locale, fallback, help_url)
        text, notes = room.read(file, wanted, column or ())
        room.guard(output, text, include or (), force, notes)
    return room.show(text, notes, output, format)


def run() -> None:
    """Runs the command with the arguments of the process."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # it was closed, as in `errgrpc list >&-`
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  stays open
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
        if not sys.stdout.isatty():  # the same bytes as in a file of --output, in any locale
            sys.stdout.reconfigure(encoding="utf-8", errors="replace", newline="\n")
    try:
        app()
    except OSError as error:  # for instance a full disk, or `errgrpc list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            sys.exit(Exit.FINDINGS)
        place = error.filename or "standard output"
        errors().print(styled(f"errgrpc: {place}: {error.strerror or error}"))
        sys.exit(Exit.MISUSE)
