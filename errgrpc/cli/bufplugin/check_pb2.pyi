from errgrpc.cli.bufplugin import descriptor_pb2 as _descriptor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RuleType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RULE_TYPE_UNSPECIFIED: _ClassVar[RuleType]
    RULE_TYPE_LINT: _ClassVar[RuleType]
    RULE_TYPE_BREAKING: _ClassVar[RuleType]
RULE_TYPE_UNSPECIFIED: RuleType
RULE_TYPE_LINT: RuleType
RULE_TYPE_BREAKING: RuleType

class CheckRequest(_message.Message):
    __slots__ = ("file_descriptors", "against_file_descriptors", "rule_ids")
    FILE_DESCRIPTORS_FIELD_NUMBER: _ClassVar[int]
    AGAINST_FILE_DESCRIPTORS_FIELD_NUMBER: _ClassVar[int]
    RULE_IDS_FIELD_NUMBER: _ClassVar[int]
    file_descriptors: _containers.RepeatedCompositeFieldContainer[_descriptor_pb2.FileDescriptor]
    against_file_descriptors: _containers.RepeatedCompositeFieldContainer[_descriptor_pb2.FileDescriptor]
    rule_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, file_descriptors: _Optional[_Iterable[_Union[_descriptor_pb2.FileDescriptor, _Mapping]]] = ..., against_file_descriptors: _Optional[_Iterable[_Union[_descriptor_pb2.FileDescriptor, _Mapping]]] = ..., rule_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class CheckResponse(_message.Message):
    __slots__ = ("annotations",)
    ANNOTATIONS_FIELD_NUMBER: _ClassVar[int]
    annotations: _containers.RepeatedCompositeFieldContainer[Annotation]
    def __init__(self, annotations: _Optional[_Iterable[_Union[Annotation, _Mapping]]] = ...) -> None: ...

class ListRulesRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListRulesResponse(_message.Message):
    __slots__ = ("next_page_token", "rules")
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    next_page_token: str
    rules: _containers.RepeatedCompositeFieldContainer[Rule]
    def __init__(self, next_page_token: _Optional[str] = ..., rules: _Optional[_Iterable[_Union[Rule, _Mapping]]] = ...) -> None: ...

class ListCategoriesRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListCategoriesResponse(_message.Message):
    __slots__ = ("next_page_token", "categories")
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    next_page_token: str
    categories: _containers.RepeatedCompositeFieldContainer[Category]
    def __init__(self, next_page_token: _Optional[str] = ..., categories: _Optional[_Iterable[_Union[Category, _Mapping]]] = ...) -> None: ...

class Rule(_message.Message):
    __slots__ = ("id", "category_ids", "default", "purpose", "type", "deprecated", "replacement_ids")
    ID_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_IDS_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    DEPRECATED_FIELD_NUMBER: _ClassVar[int]
    REPLACEMENT_IDS_FIELD_NUMBER: _ClassVar[int]
    id: str
    category_ids: _containers.RepeatedScalarFieldContainer[str]
    default: bool
    purpose: str
    type: RuleType
    deprecated: bool
    replacement_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, id: _Optional[str] = ..., category_ids: _Optional[_Iterable[str]] = ..., default: bool = ..., purpose: _Optional[str] = ..., type: _Optional[_Union[RuleType, str]] = ..., deprecated: bool = ..., replacement_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class Category(_message.Message):
    __slots__ = ("id", "purpose", "deprecated", "replacement_ids")
    ID_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    DEPRECATED_FIELD_NUMBER: _ClassVar[int]
    REPLACEMENT_IDS_FIELD_NUMBER: _ClassVar[int]
    id: str
    purpose: str
    deprecated: bool
    replacement_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, id: _Optional[str] = ..., purpose: _Optional[str] = ..., deprecated: bool = ..., replacement_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class Annotation(_message.Message):
    __slots__ = ("rule_id", "message", "file_location", "against_file_location")
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    FILE_LOCATION_FIELD_NUMBER: _ClassVar[int]
    AGAINST_FILE_LOCATION_FIELD_NUMBER: _ClassVar[int]
    rule_id: str
    message: str
    file_location: _descriptor_pb2.FileLocation
    against_file_location: _descriptor_pb2.FileLocation
    def __init__(self, rule_id: _Optional[str] = ..., message: _Optional[str] = ..., file_location: _Optional[_Union[_descriptor_pb2.FileLocation, _Mapping]] = ..., against_file_location: _Optional[_Union[_descriptor_pb2.FileLocation, _Mapping]] = ...) -> None: ...
