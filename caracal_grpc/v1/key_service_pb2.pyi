from caracal_grpc.v1 import authority_pb2 as _authority_pb2
from caracal_grpc.v1 import key_pb2 as _key_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetKeySetRequest(_message.Message):
    __slots__ = ("zone",)
    ZONE_FIELD_NUMBER: _ClassVar[int]
    zone: str
    def __init__(self, zone: _Optional[str] = ...) -> None: ...

class GetKeySetResponse(_message.Message):
    __slots__ = ("key_set",)
    KEY_SET_FIELD_NUMBER: _ClassVar[int]
    key_set: _key_pb2.KeySet
    def __init__(self, key_set: _Optional[_Union[_key_pb2.KeySet, _Mapping]] = ...) -> None: ...

class ListKeysRequest(_message.Message):
    __slots__ = ("zone",)
    ZONE_FIELD_NUMBER: _ClassVar[int]
    zone: str
    def __init__(self, zone: _Optional[str] = ...) -> None: ...

class ListKeysResponse(_message.Message):
    __slots__ = ("keys",)
    KEYS_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedCompositeFieldContainer[_key_pb2.SigningKey]
    def __init__(self, keys: _Optional[_Iterable[_Union[_key_pb2.SigningKey, _Mapping]]] = ...) -> None: ...

class RotateKeyRequest(_message.Message):
    __slots__ = ("zone",)
    ZONE_FIELD_NUMBER: _ClassVar[int]
    zone: str
    def __init__(self, zone: _Optional[str] = ...) -> None: ...

class RotateKeyResponse(_message.Message):
    __slots__ = ("key", "revision", "audit_id")
    KEY_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    key: _key_pb2.SigningKey
    revision: int
    audit_id: str
    def __init__(self, key: _Optional[_Union[_key_pb2.SigningKey, _Mapping]] = ..., revision: _Optional[int] = ..., audit_id: _Optional[str] = ...) -> None: ...

class RetireKeyRequest(_message.Message):
    __slots__ = ("zone", "kid")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    KID_FIELD_NUMBER: _ClassVar[int]
    zone: str
    kid: str
    def __init__(self, zone: _Optional[str] = ..., kid: _Optional[str] = ...) -> None: ...

class RetireKeyResponse(_message.Message):
    __slots__ = ("key", "revision", "audit_id")
    KEY_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    key: _key_pb2.SigningKey
    revision: int
    audit_id: str
    def __init__(self, key: _Optional[_Union[_key_pb2.SigningKey, _Mapping]] = ..., revision: _Optional[int] = ..., audit_id: _Optional[str] = ...) -> None: ...

class CompromiseKeyRequest(_message.Message):
    __slots__ = ("zone", "kid", "reason")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    KID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    zone: str
    kid: str
    reason: str
    def __init__(self, zone: _Optional[str] = ..., kid: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class CompromiseKeyResponse(_message.Message):
    __slots__ = ("successor", "revision", "audit_id")
    SUCCESSOR_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    successor: _key_pb2.SigningKey
    revision: int
    audit_id: str
    def __init__(self, successor: _Optional[_Union[_key_pb2.SigningKey, _Mapping]] = ..., revision: _Optional[int] = ..., audit_id: _Optional[str] = ...) -> None: ...

class ResealKeysRequest(_message.Message):
    __slots__ = ("zone",)
    ZONE_FIELD_NUMBER: _ClassVar[int]
    zone: str
    def __init__(self, zone: _Optional[str] = ...) -> None: ...

class ResealKeysResponse(_message.Message):
    __slots__ = ("kek_id", "resealed", "unchanged", "revision", "audit_id")
    KEK_ID_FIELD_NUMBER: _ClassVar[int]
    RESEALED_FIELD_NUMBER: _ClassVar[int]
    UNCHANGED_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    kek_id: str
    resealed: int
    unchanged: int
    revision: int
    audit_id: str
    def __init__(self, kek_id: _Optional[str] = ..., resealed: _Optional[int] = ..., unchanged: _Optional[int] = ..., revision: _Optional[int] = ..., audit_id: _Optional[str] = ...) -> None: ...
