"""Inputs for hypothesis: valid, damaged and random ones.

They are small, so that hundreds run in a second.
"""

import functools
import json
from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf import duration_pb2
from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest
from google.protobuf.descriptor_pb2 import EnumDescriptorProto, FileDescriptorProto
from google.rpc import error_details_pb2 as rpc
from grpc import StatusCode
from hypothesis import strategies as st

import errgrpc
from errgrpc.v1 import annotations_pb2, component_code_pb2

from . import targets

__all__ = ["STRATEGIES"]

Edit = tuple[int, int, bytes]


def damage(data: bytes, edits: list[Edit]) -> bytes:
    """Overwrites, removes or inserts pieces of `data`, at places counted in thousandths."""
    for place, count, piece in edits:
        at = place * len(data) // 1_000
        data = data[:at] + piece + data[at + (len(piece) if count < 0 else count) :]
    return data


_EDITS = st.lists(
    st.tuples(
        st.integers(0, 1_000),
        st.sampled_from((-1, -1, -1, 0, 1, 5, 100_000)),
        st.binary(max_size=4),
    ),
    max_size=3,
)
_BYTES = st.one_of(st.binary(max_size=400), st.binary(max_size=40).map(lambda data: data * 100))

READER: st.SearchStrategy[tuple[Any, ...]] = st.one_of(
    _BYTES, st.binary(min_size=40, max_size=300).map(lambda data: b"\x01" + data)
).map(lambda data: (data,))

_RANGES = st.one_of(
    st.sampled_from(
        (
            "zh-CN",
            "en",
            "*",
            "zh-Hans-CN",
            "en-GB-oed",
            "x-klingon",
            "i-default",
            "de-1996",
            "",
            " ",
            "zh_CN",
            "a" * 9,
        )
    ),
    st.text(max_size=10),
)
_WEIGHTS = st.sampled_from(
    (
        "",
        ";q=0",
        ";q=1",
        ";q=0.5",
        "; q=0.123",
        ";q=2",
        ";q=-1",
        ";q=",
        ";Q=0.9",
        ";q=1e9",
        ";q=nan",
        ";;",
        ";q=0.1;q=1",
    )
)
_HEADERS = st.builds(
    lambda parts, times: ",".join(tag + weight for tag, weight in parts * times),
    st.lists(st.tuples(_RANGES, _WEIGHTS), max_size=6),
    st.sampled_from((1, 1, 1, 50)),
)
LANGUAGE: st.SearchStrategy[tuple[Any, ...]] = st.one_of(_HEADERS.map(str.encode), _BYTES).map(
    lambda data: (data,)
)


class LongCode(
    errgrpc.ErrorCode,
    domain="d" * 255,
    default_locale="en",
    fallback="R" * 63,
    infer={StatusCode.NOT_FOUND: "R" * 63},
):
    """The longest domain, reason and number that a catalogue may have."""

    locals()["R" * 63] = (
        -(2**31),
        errgrpc.Spec(StatusCode.UNAVAILABLE, message="é" * 500, hints={"en": "ü" * 3_000}),
    )


_TEXTS = st.builds(
    lambda text, times: text * times, st.text(max_size=8), st.sampled_from((1, 1, 40, 700))
)
_DETAILS = st.lists(
    st.one_of(
        st.builds(
            lambda text, n: rpc.DebugInfo(stack_entries=[text] * n, detail=text),
            _TEXTS,
            st.integers(0, 20),
        ),
        st.builds(
            lambda text, n: rpc.Help(links=[rpc.Help.Link(description=text)] * n),
            _TEXTS,
            st.integers(0, 5),
        ),
        st.builds(
            lambda text, n: rpc.BadRequest(
                field_violations=[
                    rpc.BadRequest.FieldViolation(field=str(i), description=text) for i in range(n)
                ]
            ),
            _TEXTS,
            st.integers(0, 60),
        ),
        st.builds(
            lambda text, n: rpc.QuotaFailure(
                violations=[rpc.QuotaFailure.Violation(subject=text)] * n
            ),
            _TEXTS,
            st.integers(0, 30),
        ),
        st.builds(lambda text: rpc.RequestInfo(request_id=text), _TEXTS),
        st.builds(lambda text: rpc.ResourceInfo(resource_name=text), _TEXTS),
        st.builds(
            lambda seconds: rpc.RetryInfo(retry_delay=duration_pb2.Duration(seconds=seconds)),
            st.integers(-9, 9),
        ),
    ),
    max_size=5,
)
_ARGUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "message": st.one_of(_TEXTS, st.just("\ud800"), st.just("\x00%" * 15_000)),
        "metadata": st.dictionaries(
            st.from_regex(r"[a-z][a-zA-Z0-9_-]{1,12}", fullmatch=True) | st.text(max_size=3),
            _TEXTS,
            max_size=8,
        ),
        "hint": _TEXTS
        | st.dictionaries(st.sampled_from(("en", "zh-CN", "no tag")), _TEXTS, max_size=3),
        "details": _DETAILS,
        "retry_delay": st.floats() | st.integers(-1, 9),
    },
)
_TRAILERS = st.lists(
    st.tuples(
        st.sampled_from(("x-a", "x-b-longer")),
        st.builds(str.__mul__, st.sampled_from("ab~"), st.sampled_from((0, 9, 2_000, 9_000))),
    )
    | st.tuples(st.just("x-bin"), st.builds(bytes, st.sampled_from((0, 1, 2_000)))),
    max_size=4,
)
BUDGET: st.SearchStrategy[tuple[Any, ...]] = st.tuples(
    st.sampled_from(
        (errgrpc.ResCode.ROOM_NOT_EXIST, errgrpc.ComponentCode.IM_LOGIN_ERROR, *LongCode)
    ),
    _ARGUMENTS,
    _TRAILERS,
    st.sampled_from((7_900, 7_900, 4_000, 1_024)) | st.integers(1_024, 9_000),
)

# Any: the stubs of protoc and of types-protobuf disagree on the type of an extension.
_CATALOG: Any = annotations_pb2.catalog
_CODE: Any = annotations_pb2.code
_GOOD_NAMES = ("A_B_C", "GONE", "SHOP_CODE_GONE", "R" * 63, "None", "MRO", "X9", "LOCALS")
_BAD_NAMES = ("mro", "class", "__X", "R" * 64, "", "Ä", "SHOP_CODE_UNSPECIFIED")
_ENUM_NAMES = (
    "ShopCode",
    "Shop",
    "HTTPCode",
    "None",
    "ErrorCode",
    "Spec",
    "Variant",
    "StatusCode",
    "__Private",
)
_STRAY_TEXTS = (
    "Text",
    '"""',
    "\\",
    "x\ny",
    "%s{0}",
    "x" * 300,
    "\u202e\x1b[0m",
    '"' * 9 + "\\",
    "没有了",
    "*\n * x\n",
    "\t\x0b",
    "x\r\ny",
    " \n",
)


@functools.cache
def _requests() -> tuple[bytes, ...]:
    """Returns the requests of protoc for a catalogue of the project, and for its options."""
    files = [module.DESCRIPTOR for module in (annotations_pb2, component_code_pb2)]
    made = []
    for file in files:
        proto = FileDescriptorProto()
        file.CopyToProto(proto)
        made.append(
            CodeGeneratorRequest(
                file_to_generate=[file.name], proto_file=[proto]
            ).SerializeToString()
        )
    return tuple(made)


class _Choices(targets.Source):
    """The choices of which a declaration is made. A good one is right except for clashes."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.good = self.byte() % 2 == 0

    def some(self, right: Sequence[Any], wrong: Sequence[Any]) -> Any:
        return self.one_of(*(right if self.good or self.byte() % 8 else wrong))

    def stray(self) -> str:
        return self.text()[:8] if self.byte() % 4 == 0 else str(self.one_of(*_STRAY_TEXTS))

    def several(self, choices: Sequence[Any], most: int, *, unique: bool = True) -> list[Any]:
        found = [self.one_of(*choices) for _ in range(self.byte() % (most + 1))]
        return list(dict.fromkeys(found)) if unique else found


def _enum(source: _Choices) -> EnumDescriptorProto:
    enum = EnumDescriptorProto(name=source.some(_ENUM_NAMES, ("x y", "", "Ä")))
    names = source.several(_GOOD_NAMES, 4) or ["GONE"]
    if source.some((True,), (False,)):
        catalog: Any = enum.options.Extensions[_CATALOG]
        catalog.domain = source.some(
            ("shop.example.com", "d" * 255, "x"), ("", "a b", "ü", "d" * 256)
        )
        catalog.default_locale = source.some(("", "zh-CN"), ("zh_CN",))
        catalog.fallback = source.some(("", names[0]), ("NONE_SUCH",))
        for status in source.several((5, 13), 2):
            catalog.infer.add(
                grpc_status=source.some((status,), (0, 17, -1)),
                reason=source.some((names[-1],), ("NONE_SUCH",)),
            )
    for index, name in enumerate(names):
        number = source.some((index, -4 - index, 2**31 - 1 - index), (0,))
        value = enum.value.add(name=source.some((name,), _BAD_NAMES), number=number)
        if not source.some((True,), (False,)):
            continue
        code: Any = value.options.Extensions[_CODE]
        code.message = source.stray()
        code.grpc_status = source.some((5, 13, 1), (0, 17, -1))
        if source.byte() % 2:
            code.http_status = source.some((404, 200), (99, 600, -1))
        for locale in source.several(("zh-CN", "en-US", "de"), 3, unique=source.byte() % 4 > 0):
            hint = code.hints.add(
                locale=source.some((locale,), ("", "zh_CN", "ZH-cn")),
                text=source.some(("Weg", "没有了", "\u202e%s"), ("",)),
            )
            for key in source.several(("a", "b", ""), 2):
                hint.when[key] = source.stray()
    return enum


def _request(data: bytes) -> bytes:
    """Returns a request that protoc might send, valid or wrong in places."""
    source = _Choices(data)
    request = CodeGeneratorRequest(parameter=source.some(("",), (",", "paths=x")))
    paths = ("a.proto", "a-b.proto", "x/y.z.proto", "../../etc/x.proto", "\u202e\n.proto", "")
    for path in source.several(paths, 2, unique=source.good) or ["a.proto"]:
        file = request.proto_file.add(name=path)
        file.enum_type.extend(_enum(source) for _ in range(source.one_of(1, 1, 2)))
        holder: Any = file.message_type
        for _ in range(source.one_of(0, 0, 1, 40)):
            holder = holder.add(name=source.one_of("Outer", "class", "None")).nested_type
        if holder is not file.message_type:
            holder.add(name="Inner").enum_type.append(_enum(source))
        for at in ([5, 0], [5, 0, 2, 0]):
            place = file.source_code_info.location.add(path=at, span=[source.one_of(1, 0, -1)] * 3)
            place.leading_comments = source.stray()
        request.file_to_generate.append(source.some((file.name,), ("other.proto",)))
    return request.SerializeToString()


_REQUESTS = st.binary(min_size=60, max_size=400).map(_request)
_EDITED = st.builds(
    damage, st.one_of(_REQUESTS, st.deferred(lambda: st.sampled_from(_requests()))), _EDITS
)
CODEGEN: st.SearchStrategy[tuple[Any, ...]] = st.integers(0, 9).flatmap(
    lambda chance: (
        _REQUESTS if chance > 3 else _EDITED if chance > 0 else st.binary(max_size=200)
    ).map(lambda data: (data,))
)

# Recipes of exceptions whose attributes raise, as groups and causes of each other. They are recipes
# because hypothesis reads the attributes of its inputs.
_RECIPE = st.recursive(
    st.none(),
    lambda inner: st.tuples(
        st.sampled_from(sorted(targets.BASES)),
        st.frozensets(st.sampled_from(targets.ATTRIBUTES), max_size=4),
        st.sampled_from(sorted(targets.FAILURES)),
        inner,
    ),
    max_leaves=4,
)
_ENTRY = st.tuples(
    st.sampled_from(("x-request-id", "accept-language", "x-a")), st.text(max_size=5) | st.none()
)
_TOLD = st.just(()) | st.lists(_ENTRY, max_size=3)
DECISION: st.SearchStrategy[tuple[Any, ...]] = st.tuples(
    _RECIPE,
    _TOLD,
    _TOLD | st.none() | st.integers(),
    st.none() | st.sampled_from(list(StatusCode)) | st.integers() | st.text(),
)

# JSON with lone surrogates in each position, as `json.loads` makes them.
_WORDS = st.sampled_from(
    ("code", "msg", "ts", "requestId", "data", "error", "status", "message", "details", "@type",
     "value", "NOT_FOUND", "aGk=", "\ud800", "type.googleapis.com/google.rpc.ErrorInfo",
     "type.googleapis.com/google.protobuf.Struct", "x/\udfff", "reason", "metadata", "domain",
     "ROOM_NOT_EXIST", errgrpc.ResCode.domain)
) | st.text(max_size=3)  # fmt: skip
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=5),
    max_leaves=12,
)
_ENVELOPE = st.fixed_dictionaries(
    {
        "code": st.sampled_from((1004, 404, 0)) | _JSON,
        "msg": _WORDS,
        "ts": _JSON,
        "requestId": _WORDS,
        "data": _JSON,
    }
)
_DETAIL = st.fixed_dictionaries({"@type": _WORDS, "value": _JSON}) | st.dictionaries(
    _WORDS, _JSON, max_size=4
)
_STATUS = st.fixed_dictionaries(
    {
        "code": st.integers(0, 600),
        "message": _WORDS,
        "status": _WORDS,
        "details": st.lists(_DETAIL, max_size=3),
    }
)
_BODY = (_ENVELOPE | _STATUS | _STATUS.map(lambda status: {"error": status}) | _JSON).map(
    lambda body: json.dumps(body).encode()
)
_HEADER = st.tuples(
    st.sampled_from(("retry-after", "date", "x-request-id", "X-Request-Id", "x")),
    st.text(max_size=30),
)
HTTP: st.SearchStrategy[tuple[Any, ...]] = st.tuples(
    st.integers(100, 599), st.lists(_HEADER, max_size=3), _BODY | st.binary(max_size=40)
)

STRATEGIES: dict[str, tuple[Callable[..., None], st.SearchStrategy[tuple[Any, ...]]]] = {
    "reader": (targets.reader, READER),
    "accept_language": (targets.accept_language, LANGUAGE),
    "budget": (targets.budget, BUDGET),
    "codegen": (targets.codegen, CODEGEN),
    "decision": (targets.decision, DECISION),
    "http": (targets.http, HTTP),
    "pasted": (targets.pasted, st.tuples(st.binary(max_size=400))),
}
"""The inputs of each check."""
