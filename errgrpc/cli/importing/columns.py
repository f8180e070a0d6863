"""Finds the role of each column of a table by its header, in English or Chinese."""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl

from errgrpc.cli.importing.entries import Entry, Key, Note, Notes, Sheet, whole
from errgrpc.cli.output import Misuse
from errgrpc.locales import is_language_tag

__all__ = ["ROLES", "check", "entries", "has_codes"]

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
        "err code",
        "errcode",
        "业务码",
        "业务错误码",
        "返回码",
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
        "错误标识",
        "enum",
        "code",
        "错误枚举",
        "枚举名称",
        "英文名称",
        "英文名",
        "常量",
        "常量名",
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
        "http 响应码",
        "http响应码",
        "http码",
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
        "error msg",
        "errmsg",
        "developer message",
        "英文消息",
        "英文说明",
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
        "中文",
        "中文错误提示",
        "提示文案",
        "错误文案",
        "用户提示语",
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
        "中文描述",
        "场景说明",
        "触发条件",
        "错误原因",
    ),
    "resolution": (
        "resolution",
        "solution",
        "解决方案",
        "解决办法",
        "处理建议",
        "处理方式",
        "解决方法",
        "处理方法",
        "处理办法",
    ),
    "retryable": (
        "retryable",
        "可重试",
        "是否可重试",
        "retry",
        "是否重试",
        "可否重试",
    ),
    "deprecated": (
        "deprecated",
        "已废弃",
        "是否废弃",
        "已弃用",
        "是否弃用",
    ),
    "metadata": ("metadata fields", "metadata", "元数据", "占位符"),
    "catalogue": ("catalogue",),
}
"""The headers of each role, in lower case, the most certain first.

If two roles have the same header, the first role takes it.
"""

_TEXTS = ("message", "description", "resolution")
_EMPTY = ("", "-", "--", "—", "——", "/", "无", "n/a")
_TITLES = 20
"""The number of rows in which the headers are looked for."""
_MARKS = ("", "必填", "选填", "可选", "required", "optional")
_PARTS = re.compile(
    r"[()（）\[\]【】/|:：,，*\n]+|(?<=[\u4e00-\u9fff])\s*(?=[a-z])|(?<=[a-z])\s*(?=[\u4e00-\u9fff])"
)
_LOCALE = re.compile(
    r"(?P<told>hint|text|提示|错误提示)?[ :(（]*"
    r"(?P<tag>[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8})*)[)） ]*(?:if (?P<when>\S+))?",
    re.IGNORECASE,
)
_LANGUAGES = {"中文": "zh-CN", "简体中文": "zh-CN", "繁体中文": "zh-TW", "英文": "en", "英语": "en"}
_LANGUAGES |= {"日文": "ja", "日语": "ja", "韩文": "ko", "韩语": "ko"}
_TOLD = r"(?:错误|用户)?(?:提示语?|提示信息|提示文案|文案)"
# `英文提示`, `提示（英文）`
_SPOKEN = re.compile(
    rf"({'|'.join(_LANGUAGES)}){_TOLD}|{_TOLD}[ :(（]*({'|'.join(_LANGUAGES)})[)）]?"
)


def has_codes(sheet: Sheet, given: Mapping[str, str]) -> bool:
    """Returns whether the sheet has a column of numbers."""
    return "number" in _headers(sheet, given)[1]


def check(sheets: Sequence[Sheet], given: Mapping[str, str], name: str) -> None:
    """Raises Misuse if no sheet has a header that `--column` names."""
    cells = dict[str, None]()
    for sheet in sheets:
        for _, row in sheet.rows[:_TITLES]:
            cells |= dict.fromkeys(cell.strip() for cell in row)
    for header in given.values():
        if header not in cells:
            heads = (sheet.rows[_headers(sheet, given)[0]][1] for sheet in sheets if sheet.rows)
            known = dict.fromkeys(cell.strip() for row in heads for cell in row if cell.strip())
            raise Misuse(
                f"{name} has no column {header!r}, which --column names; "
                f"it has {', '.join(known) or 'none'}"
            )


def entries(sheet: Sheet, given: Mapping[str, str], notes: Notes) -> list[Entry]:
    """Returns the codes of a table. Raises Misuse.

    `given` names the columns with unknown headers, by role.
    """
    if not sheet.rows:
        raise Misuse(f"{sheet.name} is empty: its first row must hold the headers of the columns")
    first, roles, hints = _headers(sheet, given)
    place, headers = sheet.rows[first][0], [cell.strip() for cell in sheet.rows[first][1]]
    if "number" not in roles:
        named = ", ".join(filter(None, headers)) or "none"
        raise Misuse(
            f"{sheet.name}, {place}: no column of numbers is among the headers ({named}); "
            "name it by --column number=HEADER"
        )
    for where, cells in sheet.rows[:first]:
        notes.append(Note("lost", where, f"the row is above the headers: {_shown(cells)}"))
    used = {*roles.values(), *hints}
    notes += (note for index, note in sheet.notes if index in used)
    for index, header in enumerate(headers):
        if index in hints and hints[index][0] in _LANGUAGES.values() and _SPOKEN.fullmatch(header):
            what = f"its locale is {hints[index][0]}; name it by --column TAG=HEADER"
            what = f"column {header!r}: {what}"
            notes.append(Note("guessed", place, what))
        if index not in used and any(
            len(cells) > index and cells[index].strip() for _, cells in sheet.rows[first + 1 :]
        ):
            notes.append(
                Note(
                    "lost",
                    place,
                    f"column {header or index + 1!r}: its header is unknown; "
                    "name it by --column ROLE=HEADER",
                )
            )
    found, spaced = list[Entry](), 0
    for where, row in sheet.rows[first + 1 :]:
        cells = [cell.strip() for cell in row]
        if cells == headers:
            continue  # some sheets repeat the headers above each section
        # What `errgrpc export csv` wrote is taken as it is.
        own = (at := roles.get("catalogue", len(cells))) < len(cells) and bool(cells[at])
        filled = {
            index: row[index] if own else cells[index]
            for index in range(len(cells))
            if (cells[index] if own else cells[index].casefold() not in _EMPTY)
        }
        texts = {
            role: filled[index] if role in _TEXTS else cells[index]
            for role, index in roles.items()
            if index in filled
        }
        told = {key: filled[index] for index, key in hints.items() if index in filled}
        alone = len(used) > 1 and sum(map(bool, cells)) == 1
        if "number" in texts and alone and whole(texts["number"]) is None:
            notes.append(Note("lost", where, f"the row holds a text alone: {texts['number']}"))
        elif "number" in texts:
            found.append(Entry(where, texts, told))
            spaced += sum(
                filled[index] != row[index]
                for index in (*(roles[role] for role in _TEXTS if role in texts), *hints)
                if index in filled
            )
        elif texts or told:
            notes.append(Note("lost", where, f"it has no number: {_shown(cells)}"))
    if spaced:
        notes.append(Note("lost", sheet.name, f"the spaces around {spaced} texts"))
    return found


def _shown(cells: Sequence[str]) -> str:
    return " | ".join(filter(None, map(str.strip, cells)))


def _headers(sheet: Sheet, given: Mapping[str, str]) -> tuple[int, dict[str, int], dict[int, Key]]:
    """Returns the index of the row with the most known headers, and the roles of its columns."""
    best = next((i for i, (_, row) in enumerate(sheet.rows) if sum(map(bool, row)) > 1), 0)
    found, most = (best, dict[str, int](), dict[int, Key]()), 0
    for index, (_, cells) in enumerate(sheet.rows[:_TITLES]):
        roles, hints = _roles([cell.strip() for cell in cells], given)
        known = len(roles) + len(hints)
        if (
            "number" in roles
            and known > most
            and (not index or known > 1 or _numbers(sheet, index, roles["number"]))
        ):
            found, most = (index, roles, hints), known
    return found


def _numbers(sheet: Sheet, first: int, column: int) -> bool:
    """Returns whether a number is below a row. A row that explains a column has none."""
    below = (cells[column] for _, cells in sheet.rows[first + 1 :] if column < len(cells))
    return any(whole(cell) is not None for cell in below)


def _roles(
    headers: Sequence[str], given: Mapping[str, str]
) -> tuple[dict[str, int], dict[int, Key]]:
    """Returns the column of each role, and the locale and condition of each column of hints."""
    roles, hints = dict[str, int](), dict[int, Key]()
    for role, header in given.items():
        if header not in headers:
            continue
        if role in ROLES:
            roles[role] = headers.index(header)
        else:
            hints[headers.index(header)] = _key(role, "")
    plain = [" ".join(header.replace("_", " ").casefold().split()) for header in headers]
    _match([[name] for name in plain], roles, hints)
    for index, header in enumerate(headers):
        if index in roles.values() or index in hints:
            continue
        if spoken := _SPOKEN.fullmatch(header):
            hints[index] = _key(_LANGUAGES[spoken[1] or spoken[2]], "")
        elif not (found := _LOCALE.fullmatch(re.sub(r"(?i)^hint_", "hint ", header))):
            continue
        # `url` and `owner` are well-formed language tags, too. So without a word such as `hint`,
        # only languages of two letters count.
        elif (found["told"] or len(re.split("[-_]", found["tag"])[0]) == 2) and is_language_tag(
            found["tag"].replace("_", "-")
        ):
            hints[index] = _key(found["tag"].replace("_", "-"), found["when"] or "")
    _match([[part.strip() for part in _PARTS.split(name)] for name in plain], roles, hints)
    if "hint" in roles:
        hints[roles.pop("hint")] = _key("", "")
    return roles, dict(sorted(hints.items()))


def _match(names: Sequence[Sequence[str]], roles: dict[str, int], hints: Mapping[int, Key]) -> None:
    """Gives each free role the column whose names it all knows."""
    for role, known in ROLES.items():
        taken = {*roles.values(), *hints}
        fits = [
            (min(known.index(name) for name in each if name in known), index)
            for index, each in enumerate(names)
            if index not in taken
            and any(name in known for name in each)
            and all(name in known or name in _MARKS for name in each)
        ]
        if role not in roles and fits:
            roles[role] = min(fits)[1]


def _key(locale: str, when: str) -> Key:
    return locale, tuple(sorted(parse_qsl(when, keep_blank_values=True)))
