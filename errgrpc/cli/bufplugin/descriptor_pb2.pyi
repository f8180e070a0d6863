from google.protobuf import descriptor_pb2 as _descriptor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FileDescriptor(_message.Message):
    __slots__ = ("file_descriptor_proto", "is_import", "is_syntax_unspecified", "unused_dependency")
    FILE_DESCRIPTOR_PROTO_FIELD_NUMBER: _ClassVar[int]
    IS_IMPORT_FIELD_NUMBER: _ClassVar[int]
    IS_SYNTAX_UNSPECIFIED_FIELD_NUMBER: _ClassVar[int]
    UNUSED_DEPENDENCY_FIELD_NUMBER: _ClassVar[int]
    file_descriptor_proto: _descriptor_pb2.FileDescriptorProto
    is_import: bool
    is_syntax_unspecified: bool
    unused_dependency: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, file_descriptor_proto: _Optional[_Union[_descriptor_pb2.FileDescriptorProto, _Mapping]] = ..., is_import: bool = ..., is_syntax_unspecified: bool = ..., unused_dependency: _Optional[_Iterable[int]] = ...) -> None: ...

class FileLocation(_message.Message):
    __slots__ = ("file_name", "source_path")
    FILE_NAME_FIELD_NUMBER: _ClassVar[int]
    SOURCE_PATH_FIELD_NUMBER: _ClassVar[int]
    file_name: str
    source_path: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, file_name: _Optional[str] = ..., source_path: _Optional[_Iterable[int]] = ...) -> None: ...
