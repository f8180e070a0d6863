from google.protobuf import descriptor_pb2 as _descriptor_pb2
from google.rpc import code_pb2 as _code_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor
CATALOG_FIELD_NUMBER: _ClassVar[int]
catalog: _descriptor.FieldDescriptor
CODE_FIELD_NUMBER: _ClassVar[int]
code: _descriptor.FieldDescriptor

class Catalog(_message.Message):
    __slots__ = ("domain", "default_locale", "fallback", "infer", "locales", "help_url")
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_LOCALE_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_FIELD_NUMBER: _ClassVar[int]
    INFER_FIELD_NUMBER: _ClassVar[int]
    LOCALES_FIELD_NUMBER: _ClassVar[int]
    HELP_URL_FIELD_NUMBER: _ClassVar[int]
    domain: str
    default_locale: str
    fallback: str
    infer: _containers.RepeatedCompositeFieldContainer[Inference]
    locales: _containers.RepeatedScalarFieldContainer[str]
    help_url: str
    def __init__(self, domain: _Optional[str] = ..., default_locale: _Optional[str] = ..., fallback: _Optional[str] = ..., infer: _Optional[_Iterable[_Union[Inference, _Mapping]]] = ..., locales: _Optional[_Iterable[str]] = ..., help_url: _Optional[str] = ...) -> None: ...

class Inference(_message.Message):
    __slots__ = ("grpc_status", "reason")
    GRPC_STATUS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    grpc_status: _code_pb2.Code
    reason: str
    def __init__(self, grpc_status: _Optional[_Union[_code_pb2.Code, str]] = ..., reason: _Optional[str] = ...) -> None: ...

class Code(_message.Message):
    __slots__ = ("grpc_status", "http_status", "message", "hints", "metadata_fields", "retryable", "resolution")
    GRPC_STATUS_FIELD_NUMBER: _ClassVar[int]
    HTTP_STATUS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    HINTS_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELDS_FIELD_NUMBER: _ClassVar[int]
    RETRYABLE_FIELD_NUMBER: _ClassVar[int]
    RESOLUTION_FIELD_NUMBER: _ClassVar[int]
    grpc_status: _code_pb2.Code
    http_status: int
    message: str
    hints: _containers.RepeatedCompositeFieldContainer[Hint]
    metadata_fields: _containers.RepeatedCompositeFieldContainer[MetadataField]
    retryable: bool
    resolution: str
    def __init__(self, grpc_status: _Optional[_Union[_code_pb2.Code, str]] = ..., http_status: _Optional[int] = ..., message: _Optional[str] = ..., hints: _Optional[_Iterable[_Union[Hint, _Mapping]]] = ..., metadata_fields: _Optional[_Iterable[_Union[MetadataField, _Mapping]]] = ..., retryable: bool = ..., resolution: _Optional[str] = ...) -> None: ...

class MetadataField(_message.Message):
    __slots__ = ("key", "description", "example", "optional", "type")
    class Type(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STRING: _ClassVar[MetadataField.Type]
        INT64: _ClassVar[MetadataField.Type]
        DOUBLE: _ClassVar[MetadataField.Type]
        BOOL: _ClassVar[MetadataField.Type]
    STRING: MetadataField.Type
    INT64: MetadataField.Type
    DOUBLE: MetadataField.Type
    BOOL: MetadataField.Type
    KEY_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    EXAMPLE_FIELD_NUMBER: _ClassVar[int]
    OPTIONAL_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    key: str
    description: str
    example: str
    optional: bool
    type: MetadataField.Type
    def __init__(self, key: _Optional[str] = ..., description: _Optional[str] = ..., example: _Optional[str] = ..., optional: bool = ..., type: _Optional[_Union[MetadataField.Type, str]] = ...) -> None: ...

class Hint(_message.Message):
    __slots__ = ("locale", "text", "when")
    class WhenEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    LOCALE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    WHEN_FIELD_NUMBER: _ClassVar[int]
    locale: str
    text: str
    when: _containers.ScalarMap[str, str]
    def __init__(self, locale: _Optional[str] = ..., text: _Optional[str] = ..., when: _Optional[_Mapping[str, str]] = ...) -> None: ...
