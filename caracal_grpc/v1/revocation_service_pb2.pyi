from caracal_grpc.v1 import authority_pb2 as _authority_pb2
from caracal_grpc.v1 import key_pb2 as _key_pb2
from caracal_grpc.v1 import revocation_pb2 as _revocation_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RevocationServiceRevokeRequest(_message.Message):
    __slots__ = ("zone", "anchor", "reason", "dry_run", "filter", "issued_before")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    ANCHOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    ISSUED_BEFORE_FIELD_NUMBER: _ClassVar[int]
    zone: str
    anchor: str
    reason: str
    dry_run: bool
    filter: _revocation_pb2.SessionFilter
    issued_before: _timestamp_pb2.Timestamp
    def __init__(self, zone: _Optional[str] = ..., anchor: _Optional[str] = ..., reason: _Optional[str] = ..., dry_run: bool = ..., filter: _Optional[_Union[_revocation_pb2.SessionFilter, _Mapping]] = ..., issued_before: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RevocationServiceRevokeResponse(_message.Message):
    __slots__ = ("revision", "audit_id", "fallen", "fallen_count")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    FALLEN_FIELD_NUMBER: _ClassVar[int]
    FALLEN_COUNT_FIELD_NUMBER: _ClassVar[int]
    revision: int
    audit_id: str
    fallen: _containers.RepeatedCompositeFieldContainer[_revocation_pb2.Fallen]
    fallen_count: int
    def __init__(self, revision: _Optional[int] = ..., audit_id: _Optional[str] = ..., fallen: _Optional[_Iterable[_Union[_revocation_pb2.Fallen, _Mapping]]] = ..., fallen_count: _Optional[int] = ...) -> None: ...

class RevocationServiceListRequest(_message.Message):
    __slots__ = ("zone", "page_size", "page_token")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    zone: str
    page_size: int
    page_token: str
    def __init__(self, zone: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class RevocationServiceListResponse(_message.Message):
    __slots__ = ("revocations", "next_page_token")
    REVOCATIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    revocations: _containers.RepeatedCompositeFieldContainer[_revocation_pb2.Revocation]
    next_page_token: str
    def __init__(self, revocations: _Optional[_Iterable[_Union[_revocation_pb2.Revocation, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class RevocationServiceWatchRequest(_message.Message):
    __slots__ = ("zone",)
    ZONE_FIELD_NUMBER: _ClassVar[int]
    zone: str
    def __init__(self, zone: _Optional[str] = ...) -> None: ...

class FeedSnapshot(_message.Message):
    __slots__ = ("key_set", "revoked", "complete")
    KEY_SET_FIELD_NUMBER: _ClassVar[int]
    REVOKED_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    key_set: _key_pb2.KeySet
    revoked: _containers.RepeatedScalarFieldContainer[str]
    complete: bool
    def __init__(self, key_set: _Optional[_Union[_key_pb2.KeySet, _Mapping]] = ..., revoked: _Optional[_Iterable[str]] = ..., complete: bool = ...) -> None: ...

class FeedDelta(_message.Message):
    __slots__ = ("key_set", "revoked", "released")
    KEY_SET_FIELD_NUMBER: _ClassVar[int]
    REVOKED_FIELD_NUMBER: _ClassVar[int]
    RELEASED_FIELD_NUMBER: _ClassVar[int]
    key_set: _key_pb2.KeySet
    revoked: _containers.RepeatedScalarFieldContainer[str]
    released: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, key_set: _Optional[_Union[_key_pb2.KeySet, _Mapping]] = ..., revoked: _Optional[_Iterable[str]] = ..., released: _Optional[_Iterable[str]] = ...) -> None: ...

class FeedHeartbeat(_message.Message):
    __slots__ = ("server_time", "age", "feed_id", "acknowledge")
    SERVER_TIME_FIELD_NUMBER: _ClassVar[int]
    AGE_FIELD_NUMBER: _ClassVar[int]
    FEED_ID_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGE_FIELD_NUMBER: _ClassVar[int]
    server_time: _timestamp_pb2.Timestamp
    age: _duration_pb2.Duration
    feed_id: str
    acknowledge: bool
    def __init__(self, server_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., feed_id: _Optional[str] = ..., acknowledge: bool = ...) -> None: ...

class RevocationServiceWatchResponse(_message.Message):
    __slots__ = ("revision", "snapshot", "delta", "heartbeat")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    DELTA_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    revision: int
    snapshot: FeedSnapshot
    delta: FeedDelta
    heartbeat: FeedHeartbeat
    def __init__(self, revision: _Optional[int] = ..., snapshot: _Optional[_Union[FeedSnapshot, _Mapping]] = ..., delta: _Optional[_Union[FeedDelta, _Mapping]] = ..., heartbeat: _Optional[_Union[FeedHeartbeat, _Mapping]] = ...) -> None: ...

class RevocationServiceAcknowledgeRequest(_message.Message):
    __slots__ = ("zone", "feed_id", "revision")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    FEED_ID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    zone: str
    feed_id: str
    revision: int
    def __init__(self, zone: _Optional[str] = ..., feed_id: _Optional[str] = ..., revision: _Optional[int] = ...) -> None: ...

class RevocationServiceAcknowledgeResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RevocationServiceWaitAppliedRequest(_message.Message):
    __slots__ = ("zone", "revision")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    zone: str
    revision: int
    def __init__(self, zone: _Optional[str] = ..., revision: _Optional[int] = ...) -> None: ...

class RevocationServiceWaitAppliedResponse(_message.Message):
    __slots__ = ("replicas", "replicas_told", "edges", "edges_applied", "done")
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_TOLD_FIELD_NUMBER: _ClassVar[int]
    EDGES_FIELD_NUMBER: _ClassVar[int]
    EDGES_APPLIED_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    replicas: int
    replicas_told: int
    edges: int
    edges_applied: int
    done: bool
    def __init__(self, replicas: _Optional[int] = ..., replicas_told: _Optional[int] = ..., edges: _Optional[int] = ..., edges_applied: _Optional[int] = ..., done: bool = ...) -> None: ...
