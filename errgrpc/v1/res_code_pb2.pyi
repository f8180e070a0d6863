from errgrpc.v1 import annotations_pb2 as _annotations_pb2
from google.protobuf import descriptor_pb2 as _descriptor_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class ResCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RES_CODE_SUCCESS: _ClassVar[ResCode]
    RES_CODE_NOT_MODIFIED: _ClassVar[ResCode]
    RES_CODE_BAD_REQUEST: _ClassVar[ResCode]
    RES_CODE_UNAUTHORIZED: _ClassVar[ResCode]
    RES_CODE_FORBIDDEN: _ClassVar[ResCode]
    RES_CODE_NOT_FOUND: _ClassVar[ResCode]
    RES_CODE_METHOD_NOT_ALLOWED: _ClassVar[ResCode]
    RES_CODE_CONFLICT: _ClassVar[ResCode]
    RES_CODE_UNSUPPORTED_MEDIA_TYPE: _ClassVar[ResCode]
    RES_CODE_INTERNAL_SERVER_ERROR: _ClassVar[ResCode]
    RES_CODE_SERVICE_UNAVAILABLE: _ClassVar[ResCode]
    RES_CODE_NIM_USER_CREATE_ERROR: _ClassVar[ResCode]
    RES_CODE_NIM_USER_NOT_EXIST: _ClassVar[ResCode]
    RES_CODE_NIM_SERVICE_ERROR: _ClassVar[ResCode]
    RES_CODE_NIM_USER_EXIST: _ClassVar[ResCode]
    RES_CODE_NIM_USER_BAD_TOKEN: _ClassVar[ResCode]
    RES_CODE_ROOM_NOT_PREPARED: _ClassVar[ResCode]
    RES_CODE_ROOM_ROLE_EXCEED: _ClassVar[ResCode]
    RES_CODE_ROOM_ROLE_UNDEFINED: _ClassVar[ResCode]
    RES_CODE_ROOM_NOT_EXIST: _ClassVar[ResCode]
    RES_CODE_ROOM_BAD_CONFIG: _ClassVar[ResCode]
    RES_CODE_ROOM_PROPERTY_EXISTS: _ClassVar[ResCode]
    RES_CODE_ROOM_MEMBER_PROPERTY_EXISTS: _ClassVar[ResCode]
    RES_CODE_ROOM_SIT_CONFLICT: _ClassVar[ResCode]
    RES_CODE_ROOM_SIT_FULL: _ClassVar[ResCode]
    RES_CODE_ROOM_SIT_USER_CONFLICT: _ClassVar[ResCode]
    RES_CODE_ROOM_SIT_NOT_EXIST: _ClassVar[ResCode]
    RES_CODE_ROOM_MEMBER_CONCURRENCY_OUT: _ClassVar[ResCode]
    RES_CODE_ROOM_SITS_BAD: _ClassVar[ResCode]
    RES_CODE_ROOM_DESTINATION_MEMBER_NOT_EXIST: _ClassVar[ResCode]
    RES_CODE_ROOM_MEMBER_EXIST: _ClassVar[ResCode]
    RES_CODE_ROOM_CONFIG_CONFLICT: _ClassVar[ResCode]
RES_CODE_SUCCESS: ResCode
RES_CODE_NOT_MODIFIED: ResCode
RES_CODE_BAD_REQUEST: ResCode
RES_CODE_UNAUTHORIZED: ResCode
RES_CODE_FORBIDDEN: ResCode
RES_CODE_NOT_FOUND: ResCode
RES_CODE_METHOD_NOT_ALLOWED: ResCode
RES_CODE_CONFLICT: ResCode
RES_CODE_UNSUPPORTED_MEDIA_TYPE: ResCode
RES_CODE_INTERNAL_SERVER_ERROR: ResCode
RES_CODE_SERVICE_UNAVAILABLE: ResCode
RES_CODE_NIM_USER_CREATE_ERROR: ResCode
RES_CODE_NIM_USER_NOT_EXIST: ResCode
RES_CODE_NIM_SERVICE_ERROR: ResCode
RES_CODE_NIM_USER_EXIST: ResCode
RES_CODE_NIM_USER_BAD_TOKEN: ResCode
RES_CODE_ROOM_NOT_PREPARED: ResCode
RES_CODE_ROOM_ROLE_EXCEED: ResCode
RES_CODE_ROOM_ROLE_UNDEFINED: ResCode
RES_CODE_ROOM_NOT_EXIST: ResCode
RES_CODE_ROOM_BAD_CONFIG: ResCode
RES_CODE_ROOM_PROPERTY_EXISTS: ResCode
RES_CODE_ROOM_MEMBER_PROPERTY_EXISTS: ResCode
RES_CODE_ROOM_SIT_CONFLICT: ResCode
RES_CODE_ROOM_SIT_FULL: ResCode
RES_CODE_ROOM_SIT_USER_CONFLICT: ResCode
RES_CODE_ROOM_SIT_NOT_EXIST: ResCode
RES_CODE_ROOM_MEMBER_CONCURRENCY_OUT: ResCode
RES_CODE_ROOM_SITS_BAD: ResCode
RES_CODE_ROOM_DESTINATION_MEMBER_NOT_EXIST: ResCode
RES_CODE_ROOM_MEMBER_EXIST: ResCode
RES_CODE_ROOM_CONFIG_CONFLICT: ResCode
RAISES_RES_CODE_FIELD_NUMBER: _ClassVar[int]
raises_res_code: _descriptor.FieldDescriptor
EVERY_METHOD_RAISES_RES_CODE_FIELD_NUMBER: _ClassVar[int]
every_method_raises_res_code: _descriptor.FieldDescriptor
