from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MayAct(_message.Message):
    __slots__ = ("actor", "subjects")
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    actor: str
    subjects: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, actor: _Optional[str] = ..., subjects: _Optional[_Iterable[str]] = ...) -> None: ...

class Resource(_message.Message):
    __slots__ = ("name", "scopes", "max_ttl_seconds", "may_act", "etag")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    MAX_TTL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    MAY_ACT_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    name: str
    scopes: _containers.RepeatedScalarFieldContainer[str]
    max_ttl_seconds: int
    may_act: _containers.RepeatedCompositeFieldContainer[MayAct]
    etag: str
    def __init__(self, name: _Optional[str] = ..., scopes: _Optional[_Iterable[str]] = ..., max_ttl_seconds: _Optional[int] = ..., may_act: _Optional[_Iterable[_Union[MayAct, _Mapping]]] = ..., etag: _Optional[str] = ...) -> None: ...
