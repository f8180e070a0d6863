"""What the clients of both stacks share: the languages and the metadata of a call."""

from typing import Any

import grpc
import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError, Metadata

from errgrpc import ResCode
from errgrpc.calls import Caller


def failed() -> grpc.RpcError:
    return AioRpcError(StatusCode.NOT_FOUND, Metadata(), Metadata(), "")


@pytest.mark.parametrize(
    ("locale", "metadata", "languages", "added"),
    [
        (None, None, None, ()),
        (None, (), None, ()),
        (None, [("accept-language", "en")], "en", ()),
        ("zh-CN", None, "zh-CN", (("accept-language", "zh-CN"),)),
        (
            "zh-CN, en;q=0.5",
            [("other", "x")],
            "zh-CN, en;q=0.5",
            (("accept-language", "zh-CN, en;q=0.5"),),
        ),
        ("zh-CN", [("x", "y"), ("accept-language", "en")], "en", ()),
        ("zh-CN", [("Accept-Language", "en")], "en", ()),
        ("zh-CN", [("accept-language", b"en\xff")], "en\ufffd", ()),
        ("zh-CN", [("accept-language", b"\xc3\xa9")], "\ufffd\ufffd", ()),
        ("zh-CN", [(b"accept-language", "en")], "en", ()),
        ("zh-CN", [(5, "en")], "zh-CN", (("accept-language", "zh-CN"),)),
        ("zh-CN", [("accept-language", 5)], "", ()),
        ("zh-CN", Metadata(("accept-language", "en")), "en", ()),
    ],
)
def test_languages(
    locale: str | None, metadata: Any, languages: str | None, added: tuple[tuple[str, str], ...]
) -> None:
    caller = Caller((ResCode,), locale)
    sent = caller.metadata_of(metadata)
    assert list(sent or ()) == [*(metadata or ()), *added]
    assert type(sent) in (type(metadata), tuple)
    assert caller.typed_error(failed(), metadata, "/m")._accept_language == languages


@pytest.mark.parametrize("locale", ["", "zh_CN", "en;q=2", "en\r\nx: y", 5, b"en"])
def test_a_broken_locale_is_refused(locale: Any) -> None:
    with pytest.raises(
        ValueError, match="no language tag such as 'zh-CN' and no accept-language such as"
    ):
        Caller((ResCode,), locale)


def test_what_are_no_metadata_is_left_to_grpc() -> None:
    caller = Caller((ResCode,), "zh-CN")
    for given in (5, [("a", "b", "c")], object()):
        assert caller.metadata_of(given) is given
        assert caller.typed_error(failed(), given, "/m").error_code is ResCode.NOT_FOUND
