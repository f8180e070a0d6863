"""Catalogues that are hard to show, for test_page.py and for the browser's tests.

The browser's tests read the pages from a folder.
"""

import sys
from pathlib import Path

from errgrpc.cli import page
from errgrpc.cli.tables import Tables, load
from errgrpc.codegen.schema import Catalog, Code, Field, Hint

CLOSING = (
    "</script></style></pre><script>boom()</script><!--<img src=x "
    'onerror="boom()">\'`${boom()}{{7*7}}'
)


def _catalog(
    codes: tuple[Code, ...],
    name: str = "ShopCode",
    text: str = "All of the shop",
    help_url: str = "",
) -> Catalog:
    return Catalog(
        "shop.proto",
        "shop.v1",
        name,
        0,
        text,
        True,
        "shop.example.com",
        "zh-CN",
        "",
        (),
        codes,
        help_url=help_url,
    )


def _code(number: int, reason: str, said: str, key: str = "room_uuid") -> Code:
    return Code(
        name=reason,
        reason=reason,
        number=number,
        line=0,
        description=f"房间 {number} 查不到：{said}",
        annotated=True,
        grpc_status=1 + number % 16,
        http_status=400 + number % 20,
        message=f"Room {number} Not Found: {said}",
        hints=(
            Hint("zh-CN", f"房间{number}不存在：{said}", ()),
            Hint("en-US", f"The room {number} does not exist: {said}", ()),
        ),
        deprecated=number % 9 == 0,
        metadata_fields=(
            Field(key, f"The room: {said}", said, True, 0),
            Field("seat", "The seat", "3", False, 1),
        ),
        retryable=(None, True, False)[number % 3],
        resolution=f"Check the id of room {number}: {said}",
    )


def large() -> Tables:
    """10,000 codes with every field."""
    codes = tuple(
        _code(number, f"ROOM_FAILURE_{number}", "{room_uuid}") for number in range(1, 10_001)
    )
    return Tables((_catalog(codes, help_url="https://errors.example.com/{reason}"),))


def hostile() -> Tables:
    """A catalogue whose texts would be markup if unescaped, with a script as its help page."""
    code = _code(1, CLOSING, CLOSING, CLOSING)
    hints = (
        *code.hints,
        Hint(CLOSING, CLOSING, ((CLOSING, CLOSING),)),
        Hint("en-GB", "\x1b[31mred\u202e\ud800", ()),
    )
    code = Code(**{name: getattr(code, name) for name in Code.__slots__} | {"hints": hints})
    return Tables((_catalog((code,), CLOSING, CLOSING, "javascript:boom()//{reason}"),))


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, tables in (("ours", load()), ("large", large()), ("hostile", hostile())):
        page.show(
            tables,
            CLOSING if name == "hostile" else "Error reference",
            "html",
            str(folder / f"{name}.html"),
        )
