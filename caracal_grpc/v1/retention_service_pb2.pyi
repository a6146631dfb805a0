from caracal_grpc.v1 import authority_pb2 as _authority_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LegalHold(_message.Message):
    __slots__ = ("id", "reason", "subject", "application_id", "session_id", "since", "until", "create_time")
    ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    id: str
    reason: str
    subject: str
    application_id: str
    session_id: str
    since: _timestamp_pb2.Timestamp
    until: _timestamp_pb2.Timestamp
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., reason: _Optional[str] = ..., subject: _Optional[str] = ..., application_id: _Optional[str] = ..., session_id: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CreateLegalHoldRequest(_message.Message):
    __slots__ = ("zone", "hold")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    zone: str
    hold: LegalHold
    def __init__(self, zone: _Optional[str] = ..., hold: _Optional[_Union[LegalHold, _Mapping]] = ...) -> None: ...

class CreateLegalHoldResponse(_message.Message):
    __slots__ = ("hold", "audit_id")
    HOLD_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    hold: LegalHold
    audit_id: str
    def __init__(self, hold: _Optional[_Union[LegalHold, _Mapping]] = ..., audit_id: _Optional[str] = ...) -> None: ...

class ListLegalHoldsRequest(_message.Message):
    __slots__ = ("zone",)
    ZONE_FIELD_NUMBER: _ClassVar[int]
    zone: str
    def __init__(self, zone: _Optional[str] = ...) -> None: ...

class ListLegalHoldsResponse(_message.Message):
    __slots__ = ("holds",)
    HOLDS_FIELD_NUMBER: _ClassVar[int]
    holds: _containers.RepeatedCompositeFieldContainer[LegalHold]
    def __init__(self, holds: _Optional[_Iterable[_Union[LegalHold, _Mapping]]] = ...) -> None: ...

class DeleteLegalHoldRequest(_message.Message):
    __slots__ = ("zone", "id")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    zone: str
    id: str
    def __init__(self, zone: _Optional[str] = ..., id: _Optional[str] = ...) -> None: ...

class DeleteLegalHoldResponse(_message.Message):
    __slots__ = ("audit_id",)
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    audit_id: str
    def __init__(self, audit_id: _Optional[str] = ...) -> None: ...

class PruneRequest(_message.Message):
    __slots__ = ("zone", "before", "dry_run")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    zone: str
    before: _timestamp_pb2.Timestamp
    dry_run: bool
    def __init__(self, zone: _Optional[str] = ..., before: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., dry_run: bool = ...) -> None: ...

class PruneResponse(_message.Message):
    __slots__ = ("pruned", "held", "audit_id")
    PRUNED_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    pruned: int
    held: int
    audit_id: str
    def __init__(self, pruned: _Optional[int] = ..., held: _Optional[int] = ..., audit_id: _Optional[str] = ...) -> None: ...

class EraseSubjectRequest(_message.Message):
    __slots__ = ("zone", "subject", "dry_run")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    zone: str
    subject: str
    dry_run: bool
    def __init__(self, zone: _Optional[str] = ..., subject: _Optional[str] = ..., dry_run: bool = ...) -> None: ...

class EraseSubjectResponse(_message.Message):
    __slots__ = ("erased", "held", "unerasable", "audit_id")
    ERASED_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    UNERASABLE_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    erased: int
    held: int
    unerasable: int
    audit_id: str
    def __init__(self, erased: _Optional[int] = ..., held: _Optional[int] = ..., unerasable: _Optional[int] = ..., audit_id: _Optional[str] = ...) -> None: ...
