from errgrpc.v1 import annotations_pb2 as _annotations_pb2
from google.protobuf import descriptor_pb2 as _descriptor_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class ComponentCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COMPONENT_CODE_UNSPECIFIED: _ClassVar[ComponentCode]
    COMPONENT_CODE_IM_LOGIN_ERROR: _ClassVar[ComponentCode]
    COMPONENT_CODE_RTC_INIT_ERROR: _ClassVar[ComponentCode]
    COMPONENT_CODE_ENGINE_ERROR_CONNECT_FAIL: _ClassVar[ComponentCode]
    COMPONENT_CODE_ENGINE_ERROR_SERVER_KICKED: _ClassVar[ComponentCode]
    COMPONENT_CODE_ENGINE_ERROR_ROOM_CLOSED: _ClassVar[ComponentCode]
COMPONENT_CODE_UNSPECIFIED: ComponentCode
COMPONENT_CODE_IM_LOGIN_ERROR: ComponentCode
COMPONENT_CODE_RTC_INIT_ERROR: ComponentCode
COMPONENT_CODE_ENGINE_ERROR_CONNECT_FAIL: ComponentCode
COMPONENT_CODE_ENGINE_ERROR_SERVER_KICKED: ComponentCode
COMPONENT_CODE_ENGINE_ERROR_ROOM_CLOSED: ComponentCode
RAISES_COMPONENT_CODE_FIELD_NUMBER: _ClassVar[int]
raises_component_code: _descriptor.FieldDescriptor
EVERY_METHOD_RAISES_COMPONENT_CODE_FIELD_NUMBER: _ClassVar[int]
every_method_raises_component_code: _descriptor.FieldDescriptor
