from caracal_grpc.v1 import application_pb2 as _application_pb2
from caracal_grpc.v1 import authority_pb2 as _authority_pb2
from caracal_grpc.v1 import zone_pb2 as _zone_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ZoneServiceApplyRequest(_message.Message):
    __slots__ = ("zone", "dry_run", "expected_revision")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    zone: _zone_pb2.Zone
    dry_run: bool
    expected_revision: int
    def __init__(self, zone: _Optional[_Union[_zone_pb2.Zone, _Mapping]] = ..., dry_run: bool = ..., expected_revision: _Optional[int] = ...) -> None: ...

class ZoneServiceApplyResponse(_message.Message):
    __slots__ = ("changes", "credentials", "revision", "audit_id", "issuer", "policy_version")
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    CREDENTIALS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    ISSUER_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[_zone_pb2.Change]
    credentials: _containers.RepeatedCompositeFieldContainer[_application_pb2.Credential]
    revision: int
    audit_id: str
    issuer: str
    policy_version: str
    def __init__(self, changes: _Optional[_Iterable[_Union[_zone_pb2.Change, _Mapping]]] = ..., credentials: _Optional[_Iterable[_Union[_application_pb2.Credential, _Mapping]]] = ..., revision: _Optional[int] = ..., audit_id: _Optional[str] = ..., issuer: _Optional[str] = ..., policy_version: _Optional[str] = ...) -> None: ...

class ZoneServiceGetRequest(_message.Message):
    __slots__ = ("zone",)
    ZONE_FIELD_NUMBER: _ClassVar[int]
    zone: str
    def __init__(self, zone: _Optional[str] = ...) -> None: ...

class ZoneServiceGetResponse(_message.Message):
    __slots__ = ("zone", "revision")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    zone: _zone_pb2.Zone
    revision: int
    def __init__(self, zone: _Optional[_Union[_zone_pb2.Zone, _Mapping]] = ..., revision: _Optional[int] = ...) -> None: ...
