from caracal_grpc.v1 import authority_pb2 as _authority_pb2
from caracal_grpc.v1 import diagnostics_pb2 as _diagnostics_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DiagnosticsServiceDiagnoseRequest(_message.Message):
    __slots__ = ("zone",)
    ZONE_FIELD_NUMBER: _ClassVar[int]
    zone: str
    def __init__(self, zone: _Optional[str] = ...) -> None: ...

class DiagnosticsServiceDiagnoseResponse(_message.Message):
    __slots__ = ("checks", "replica", "release", "time")
    CHECKS_FIELD_NUMBER: _ClassVar[int]
    REPLICA_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    checks: _containers.RepeatedCompositeFieldContainer[_diagnostics_pb2.Check]
    replica: str
    release: str
    time: _timestamp_pb2.Timestamp
    def __init__(self, checks: _Optional[_Iterable[_Union[_diagnostics_pb2.Check, _Mapping]]] = ..., replica: _Optional[str] = ..., release: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
