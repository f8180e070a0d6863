"""Finds the role of each column of a table by its header, in English or Chinese."""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl

from errgrpc.cli.importing.entries import Entry, Key, Note, Notes, Sheet
from errgrpc.cli.output import Misuse
from errgrpc.locales import is_language_tag

__all__ = ["ROLES", "entries", "has_codes"]

ROLES: Mapping[str, Sequence[str]] = {
    "number": (
        "number",
        "error code",
        "error number",
        "code",
        "错误码",
        "编号",
        "错误编号",
        "错误代码",
        "代码",
        "编码",
        "错误码编号",
    ),
    "name": (
        "reason",
        "name",
        "error name",
        "constant",
        "枚举",
        "枚举名",
        "枚举值",
        "名称",
        "错误名称",
        "错误名",
        "标识",
        "enum",
        "code",
    ),
    "http": (
        "http status",
        "http",
        "http code",
        "http status code",
        "http 状态码",
        "http状态码",
        "http 状态",
        "http状态",
    ),
    "grpc": (
        "grpc status",
        "grpc",
        "grpc code",
        "grpc 状态码",
        "grpc状态码",
        "grpc 状态",
        "grpc状态",
        "status",
    ),
    "message": (
        "message",
        "error message",
        "msg",
        "英文描述",
        "英文信息",
        "错误信息",
        "消息",
        "英文",
    ),
    "hint": (
        "hint",
        "user message",
        "提示",
        "错误提示",
        "用户提示",
        "提示语",
        "提示信息",
        "中文提示",
    ),
    "description": (
        "description",
        "desc",
        "scenario",
        "说明",
        "场景",
        "描述",
        "错误描述",
        "错误说明",
        "触发场景",
        "备注",
    ),
    "resolution": ("resolution", "solution", "解决方案", "解决办法", "处理建议", "处理方式"),
    "retryable": ("retryable", "可重试", "是否可重试"),
    "deprecated": ("deprecated", "已废弃", "是否废弃"),
    "metadata": ("metadata fields", "metadata", "元数据"),
}
"""The headers of each role, in lower case, the most certain first.

If two roles have the same header, the first role takes it.
"""

_TEXTS = ("message", "description", "resolution")  # these keep their surrounding spaces
_LOCALE = re.compile(
    r"(?P<told>hint|text|提示|错误提示)?[ :(（]*"
    r"(?P<tag>[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8})*)[)） ]*(?:if (?P<when>\S+))?",
    re.IGNORECASE,
)


def has_codes(sheet: Sheet, given: Mapping[str, str]) -> bool:
    """Returns whether the sheet has a column of numbers."""
    return (
        bool(sheet.rows)
        and "number" in _roles([cell.strip() for cell in sheet.rows[0][1]], given, sheet.name)[0]
    )


def entries(sheet: Sheet, given: Mapping[str, str], notes: Notes) -> list[Entry]:
    """Returns the codes of a table. Raises Misuse.

    `given` names the columns with unknown headers, by role.
    """
    if not sheet.rows:
        raise Misuse(f"{sheet.name} is empty: its first row must hold the headers of the columns")
    place, headers = sheet.rows[0][0], [cell.strip() for cell in sheet.rows[0][1]]
    roles, hints = _roles(headers, given, sheet.name)
    if "number" not in roles:
        named = ", ".join(filter(None, headers)) or "none"
        raise Misuse(
            f"{sheet.name}, {place}: no column of numbers is among the headers ({named}); "
            "name it by --column number=HEADER"
        )
    used = {*roles.values(), *hints}
    for index, header in enumerate(headers):
        if index not in used and any(
            len(cells) > index and cells[index].strip() for _, cells in sheet.rows[1:]
        ):
            notes.append(
                Note(
                    "lost",
                    place,
                    f"column {header or index + 1!r}: its header is unknown; "
                    "name it by --column ROLE=HEADER",
                )
            )
    found = list[Entry]()
    for where, cells in sheet.rows[1:]:
        texts = {
            role: cells[index] if role in _TEXTS else cells[index].strip()
            for role, index in roles.items()
            if index < len(cells) and cells[index].strip()
        }
        told = {
            key: cells[index]
            for index, key in hints.items()
            if index < len(cells) and cells[index].strip()
        }
        if "number" in texts:
            found.append(Entry(where, texts, told))
        elif texts or told:
            notes.append(
                Note(
                    "lost",
                    where,
                    f"it has no number: {' | '.join(filter(None, map(str.strip, cells)))}",
                )
            )
    return found


def _roles(
    headers: Sequence[str], given: Mapping[str, str], name: str
) -> tuple[dict[str, int], dict[int, Key]]:
    """Returns the column of each role, and the locale and condition of each column of hints."""
    roles, hints = dict[str, int](), dict[int, Key]()
    for role, header in given.items():
        if header not in headers:
            raise Misuse(
                f"{name} has no column {header!r}, which --column names; "
                f"it has {', '.join(filter(None, headers)) or 'none'}"
            )
        if role in ROLES:
            roles[role] = headers.index(header)
        else:
            hints[headers.index(header)] = _key(role, "")
    plain = [" ".join(header.replace("_", " ").casefold().split()) for header in headers]
    for role, known in ROLES.items():
        free = (
            plain.index(each)
            for each in known
            if each in plain and plain.index(each) not in {*roles.values(), *hints}
        )
        if role not in roles and (index := next(free, None)) is not None:
            roles[role] = index
    for index, header in enumerate(headers):
        if (
            index in roles.values()
            or index in hints
            or not (found := _LOCALE.fullmatch(re.sub(r"(?i)^hint_", "hint ", header)))
        ):
            continue
        # `url` and `owner` are well-formed language tags, too. So without a word such as `hint`,
        # only languages of two letters count.
        if (found["told"] or len(re.split("[-_]", found["tag"])[0]) == 2) and is_language_tag(
            found["tag"].replace("_", "-")
        ):
            hints[index] = _key(found["tag"].replace("_", "-"), found["when"] or "")
    if (index := roles.pop("hint", None)) is not None:
        hints[index] = _key("", "")
    return roles, hints


def _key(locale: str, when: str) -> Key:
    return locale, tuple(sorted(parse_qsl(when, keep_blank_values=True)))
