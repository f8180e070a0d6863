"""The settings of the command in pyproject.toml."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from errgrpc.cli.output import Misuse

__all__ = ["FILE", "Settings", "parse", "read"]

FILE = "pyproject.toml"


@dataclass(frozen=True, slots=True)
class Settings:
    """The table `[tool.errgrpc]`: the default sources, and the exemptions of `errgrpc lint`."""

    catalogues: tuple[str, ...] = ()
    ignore: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    text: str = ""


def read() -> Settings:
    """Returns the settings of the working directory. Without pyproject.toml, they are empty."""
    try:
        return parse(Path(FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Settings()
    except (OSError, UnicodeDecodeError) as error:
        raise Misuse(f"{FILE} cannot be read: {error}") from error


def parse(text: str) -> Settings:
    """Returns the settings in the text of a pyproject.toml. Raises Misuse."""
    try:
        tools: Any = tomllib.loads(text).get("tool", {})
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise Misuse(f"{FILE} is no TOML: {error}") from error
    ours: Any = tools.get("errgrpc", {}) if isinstance(tools, dict) else tools
    if not isinstance(ours, dict):
        raise Misuse(f"{FILE}: tool.errgrpc is no table; write [tool.errgrpc]")
    catalogues = ours.get("catalogues", [])
    if not isinstance(catalogues, list) or not all(isinstance(each, str) for each in catalogues):
        raise Misuse(
            f'{FILE}: tool.errgrpc.catalogues is no list of sources; write catalogues = ["protos"]'
        )
    lint = ours.get("lint", {})
    ignore = lint.get("ignore", {}) if isinstance(lint, dict) else lint
    if not isinstance(ignore, dict) or not all(
        isinstance(rules, dict) and all(isinstance(reason, str) for reason in rules.values())
        for rules in ignore.values()
    ):
        raise Misuse(
            f"{FILE}: each entry of tool.errgrpc.lint.ignore is as "
            '"shop.v1.ShopCode.SOLD_OUT" = {text-shared = "the reason"}'
        )
    return Settings(tuple(catalogues), ignore, text)
