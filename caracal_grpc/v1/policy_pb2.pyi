from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FindingSeverity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FINDING_SEVERITY_UNSPECIFIED: _ClassVar[FindingSeverity]
    FINDING_SEVERITY_ERROR: _ClassVar[FindingSeverity]
    FINDING_SEVERITY_WARNING: _ClassVar[FindingSeverity]

class PolicyLoad(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    POLICY_LOAD_UNSPECIFIED: _ClassVar[PolicyLoad]
    POLICY_LOAD_LOADING: _ClassVar[PolicyLoad]
    POLICY_LOAD_LOADED: _ClassVar[PolicyLoad]
    POLICY_LOAD_FAILED: _ClassVar[PolicyLoad]
FINDING_SEVERITY_UNSPECIFIED: FindingSeverity
FINDING_SEVERITY_ERROR: FindingSeverity
FINDING_SEVERITY_WARNING: FindingSeverity
POLICY_LOAD_UNSPECIFIED: PolicyLoad
POLICY_LOAD_LOADING: PolicyLoad
POLICY_LOAD_LOADED: PolicyLoad
POLICY_LOAD_FAILED: PolicyLoad

class PolicyVersion(_message.Message):
    __slots__ = ("version", "create_time", "created_by", "description", "active", "shadow", "grants", "modules")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    CREATED_BY_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_FIELD_NUMBER: _ClassVar[int]
    SHADOW_FIELD_NUMBER: _ClassVar[int]
    GRANTS_FIELD_NUMBER: _ClassVar[int]
    MODULES_FIELD_NUMBER: _ClassVar[int]
    version: str
    create_time: _timestamp_pb2.Timestamp
    created_by: str
    description: str
    active: bool
    shadow: bool
    grants: int
    modules: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, version: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., created_by: _Optional[str] = ..., description: _Optional[str] = ..., active: bool = ..., shadow: bool = ..., grants: _Optional[int] = ..., modules: _Optional[_Iterable[str]] = ...) -> None: ...

class PolicyFinding(_message.Message):
    __slots__ = ("severity", "place", "line", "column", "text")
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    COLUMN_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    severity: FindingSeverity
    place: str
    line: int
    column: int
    text: str
    def __init__(self, severity: _Optional[_Union[FindingSeverity, str]] = ..., place: _Optional[str] = ..., line: _Optional[int] = ..., column: _Optional[int] = ..., text: _Optional[str] = ...) -> None: ...

class PolicyTestResult(_message.Message):
    __slots__ = ("module", "name", "passed", "detail")
    MODULE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PASSED_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    module: str
    name: str
    passed: bool
    detail: str
    def __init__(self, module: _Optional[str] = ..., name: _Optional[str] = ..., passed: bool = ..., detail: _Optional[str] = ...) -> None: ...

class PolicyQuestion(_message.Message):
    __slots__ = ("application", "resource", "scopes", "session_id", "context", "input_json")
    class ContextEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    INPUT_JSON_FIELD_NUMBER: _ClassVar[int]
    application: str
    resource: str
    scopes: _containers.RepeatedScalarFieldContainer[str]
    session_id: str
    context: _containers.ScalarMap[str, str]
    input_json: str
    def __init__(self, application: _Optional[str] = ..., resource: _Optional[str] = ..., scopes: _Optional[_Iterable[str]] = ..., session_id: _Optional[str] = ..., context: _Optional[_Mapping[str, str]] = ..., input_json: _Optional[str] = ...) -> None: ...

class PolicyAnswer(_message.Message):
    __slots__ = ("decision", "scopes", "ttl_seconds", "reasons", "step_up_json", "failure")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    TTL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    STEP_UP_JSON_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    decision: str
    scopes: _containers.RepeatedScalarFieldContainer[str]
    ttl_seconds: int
    reasons: _containers.RepeatedScalarFieldContainer[str]
    step_up_json: str
    failure: str
    def __init__(self, decision: _Optional[str] = ..., scopes: _Optional[_Iterable[str]] = ..., ttl_seconds: _Optional[int] = ..., reasons: _Optional[_Iterable[str]] = ..., step_up_json: _Optional[str] = ..., failure: _Optional[str] = ...) -> None: ...

class PolicyRule(_message.Message):
    __slots__ = ("module", "line", "name", "value_json")
    MODULE_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_JSON_FIELD_NUMBER: _ClassVar[int]
    module: str
    line: int
    name: str
    value_json: str
    def __init__(self, module: _Optional[str] = ..., line: _Optional[int] = ..., name: _Optional[str] = ..., value_json: _Optional[str] = ...) -> None: ...

class PolicyDifference(_message.Message):
    __slots__ = ("audit_id", "time", "application_id", "application_name", "resource", "requested_scopes", "was", "now")
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_ID_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_NAME_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_SCOPES_FIELD_NUMBER: _ClassVar[int]
    WAS_FIELD_NUMBER: _ClassVar[int]
    NOW_FIELD_NUMBER: _ClassVar[int]
    audit_id: str
    time: _timestamp_pb2.Timestamp
    application_id: str
    application_name: str
    resource: str
    requested_scopes: _containers.RepeatedScalarFieldContainer[str]
    was: PolicyAnswer
    now: PolicyAnswer
    def __init__(self, audit_id: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., application_id: _Optional[str] = ..., application_name: _Optional[str] = ..., resource: _Optional[str] = ..., requested_scopes: _Optional[_Iterable[str]] = ..., was: _Optional[_Union[PolicyAnswer, _Mapping]] = ..., now: _Optional[_Union[PolicyAnswer, _Mapping]] = ...) -> None: ...

class PolicyReplica(_message.Message):
    __slots__ = ("replica", "version", "load", "detail", "time")
    REPLICA_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    LOAD_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    replica: str
    version: str
    load: PolicyLoad
    detail: str
    time: _timestamp_pb2.Timestamp
    def __init__(self, replica: _Optional[str] = ..., version: _Optional[str] = ..., load: _Optional[_Union[PolicyLoad, str]] = ..., detail: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PolicyActivation(_message.Message):
    __slots__ = ("version", "time", "application_id")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_ID_FIELD_NUMBER: _ClassVar[int]
    version: str
    time: _timestamp_pb2.Timestamp
    application_id: str
    def __init__(self, version: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., application_id: _Optional[str] = ...) -> None: ...
