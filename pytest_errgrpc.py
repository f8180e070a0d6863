"""The pytest plugin of errgrpc: shows which declared errors no test raised.

```text
pytest --errgrpc-coverage                    shows, for each method that declares its errors,
                                             which of them no test raised
pytest --errgrpc-coverage=json:errors.json   writes the same as JSON
pytest --errgrpc-fail-under=90               fails the run below 90 percent

[tool.pytest.ini_options]
errgrpc_strict = true                        fails a test if a server answered a code
                                             that its method does not declare
```

The plugin imports errgrpc only if one of these is used.
"""

from __future__ import annotations

import argparse
import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

_Found = dict[str, dict[str, bool]]
"""Whether each declared code, `domain/REASON`, of each method has been raised."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("errgrpc", "declared errors of gRPC methods")
    group.addoption(
        "--errgrpc-coverage",
        nargs="?",
        const="text",
        type=_report,
        metavar="text|json|json:FILE",
        help="show which of the errors that methods declare the tests have raised: "
        "a table, or JSON, here or in a file",
    )
    group.addoption(
        "--errgrpc-fail-under",
        type=_percent,
        metavar="PERCENT",
        help="fail the run if fewer of the declared errors were raised",
    )
    parser.addini(
        "errgrpc_strict",
        "fail a test if a server answered a code that its method does not declare",
        "bool",
        False,
    )


def _report(value: str) -> str:
    if value not in {"text", "json"} and not value.startswith("json:"):
        raise argparse.ArgumentTypeError(
            f"{value!r} is no report: "
            "give text, json or json:FILE; before a path, write --errgrpc-coverage=text"
        )
    return value


def _percent(value: str) -> float:
    try:
        percent = float(value)
    except ValueError:
        percent = -1
    if not 0 <= percent <= 100:
        raise argparse.ArgumentTypeError(f"{value!r} is no percentage: give a number from 0 to 100")
    return percent


def pytest_configure(config: pytest.Config) -> None:
    if config.getini("errgrpc_strict"):
        config.pluginmanager.register(_strict(), "errgrpc-strict")
    asked = (
        config.option.errgrpc_coverage is not None or config.option.errgrpc_fail_under is not None
    )
    if asked and not config.option.collectonly:
        config.pluginmanager.register(_Coverage(config), "errgrpc-coverage")


def _strict() -> object:
    """Returns a plugin that fails each test in which a server answers an undeclared code.

    It covers the fixtures of the test, too. It is made only if a project asks for it, because older
    versions of pluggy do not know such wrappers.
    """
    from errgrpc.testing import recorded  # noqa: PLC0415  only if it is used

    class Strict:
        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_setup(self) -> Generator[None, object, object]:
            with recorded() as answered:
                result = yield
            undeclared = (each for each in answered if each.undeclared)
            said = dict.fromkeys(
                f"{each.method} answered {each.code}, which it does not declare"
                for each in undeclared
            )
            if said:
                pytest.fail("\n".join(said), pytrace=False)
            return result

        pytest_runtest_call = pytest_runtest_teardown = pytest_runtest_setup

    return Strict()


class _Coverage:
    def __init__(self, config: pytest.Config) -> None:
        from errgrpc.observing import observing  # noqa: PLC0415  see above
        from errgrpc.testing.recording import Coverage  # noqa: PLC0415

        self._report: str | None = config.option.errgrpc_coverage
        self._fail_under: float | None = config.option.errgrpc_fail_under
        self._coverage = Coverage()
        self._found: _Found = {}
        self._ran, self._written = False, ""
        self._exits = ExitStack()
        self._exits.enter_context(observing(self._coverage))

    def pytest_unconfigure(self) -> None:
        self._exits.close()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Adds the results of a worker of pytest-xdist, which has ended."""
        self._add(getattr(node, "workeroutput", {}).get("errgrpc", {}))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self._add(self._coverage.as_json())
        if (
            output := getattr(session.config, "workeroutput", None)
        ) is not None:  # in a worker of pytest-xdist
            output["errgrpc"] = self._found
            return
        # A run that was stopped, or had nothing to do, says nothing about the tests.
        self._ran = session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}
        if self._ran:
            self._write()
        if session.exitstatus == pytest.ExitCode.OK and self._is_under():
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _write(self) -> None:
        """Writes the file, even if nothing is shown."""
        name = (self._report or "").partition(":")[2]
        if name:
            path = Path(name)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(self._as_json() + "\n", "utf-8")
                self._written = f"written to {name}"
            except OSError as error:
                self._written = f"could not be written: {error}"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        report, write = self._report, terminalreporter.write_line
        if not self._ran:
            return
        if report is not None:
            terminalreporter.section("errgrpc: declared errors that were raised")
            for line in self._table() if report == "text" else [self._written or self._as_json()]:
                write(line)
        if self._is_under():
            said = (
                f"FAIL {self._percent():.1f} % of the declared errors were raised, and "
                f"{self._fail_under:g} % are required"
            )
            write(f"{said} (--errgrpc-fail-under)", red=True, bold=True)

    def _add(self, found: _Found) -> None:
        for method, codes in found.items():
            ours = self._found.setdefault(method, {})
            for code, raised in codes.items():
                ours[code] = ours.get(code, False) or raised

    def _as_json(self) -> str:
        return json.dumps({**self._totals(), "methods": self._found}, indent=1)

    def _totals(self) -> dict[str, Any]:
        every = [raised for codes in self._found.values() for raised in codes.values()]
        return {"declared": len(every), "raised": sum(every), "percent": round(self._percent(), 1)}

    def _percent(self) -> float:
        every = [raised for codes in self._found.values() for raised in codes.values()]
        return 100 * sum(every) / len(every) if every else 0

    def _is_under(self) -> bool:
        return self._fail_under is not None and self._percent() < self._fail_under

    def _table(self) -> list[str]:
        if not self._found:
            return [
                "no server of this run declares the errors of its methods: "
                "give the interceptor raises="
            ]
        totals = self._totals()
        width = max(map(len, (*self._found, "TOTAL")))
        lines = [f"{'method':{width}}  raised  not raised"]
        for method, codes in sorted(self._found.items()):
            missing = ", ".join(
                code.rpartition("/")[2] for code, raised in codes.items() if not raised
            )
            lines.append(
                f"{method:{width}}  {f'{sum(codes.values())}/{len(codes)}':>6}  {missing}".rstrip()
            )
        return [
            *lines,
            f"{'TOTAL':{width}}  {totals['raised']}/{totals['declared']}".ljust(width + 9)
            + f" {totals['percent']:g} %",
        ]
