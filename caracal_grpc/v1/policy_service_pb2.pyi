from caracal_grpc.v1 import authority_pb2 as _authority_pb2
from caracal_grpc.v1 import policy_pb2 as _policy_pb2
from caracal_grpc.v1 import zone_pb2 as _zone_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PolicyServiceValidateRequest(_message.Message):
    __slots__ = ("zone", "policy")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    zone: str
    policy: _zone_pb2.Policy
    def __init__(self, zone: _Optional[str] = ..., policy: _Optional[_Union[_zone_pb2.Policy, _Mapping]] = ...) -> None: ...

class PolicyServiceValidateResponse(_message.Message):
    __slots__ = ("findings", "tests", "valid", "version")
    FINDINGS_FIELD_NUMBER: _ClassVar[int]
    TESTS_FIELD_NUMBER: _ClassVar[int]
    VALID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    findings: _containers.RepeatedCompositeFieldContainer[_policy_pb2.PolicyFinding]
    tests: _containers.RepeatedCompositeFieldContainer[_policy_pb2.PolicyTestResult]
    valid: bool
    version: str
    def __init__(self, findings: _Optional[_Iterable[_Union[_policy_pb2.PolicyFinding, _Mapping]]] = ..., tests: _Optional[_Iterable[_Union[_policy_pb2.PolicyTestResult, _Mapping]]] = ..., valid: bool = ..., version: _Optional[str] = ...) -> None: ...

class PolicyServiceCreateRequest(_message.Message):
    __slots__ = ("zone", "policy", "description")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    zone: str
    policy: _zone_pb2.Policy
    description: str
    def __init__(self, zone: _Optional[str] = ..., policy: _Optional[_Union[_zone_pb2.Policy, _Mapping]] = ..., description: _Optional[str] = ...) -> None: ...

class PolicyServiceCreateResponse(_message.Message):
    __slots__ = ("version", "revision", "audit_id")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    version: _policy_pb2.PolicyVersion
    revision: int
    audit_id: str
    def __init__(self, version: _Optional[_Union[_policy_pb2.PolicyVersion, _Mapping]] = ..., revision: _Optional[int] = ..., audit_id: _Optional[str] = ...) -> None: ...

class PolicyServiceGetRequest(_message.Message):
    __slots__ = ("zone", "version")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    zone: str
    version: str
    def __init__(self, zone: _Optional[str] = ..., version: _Optional[str] = ...) -> None: ...

class PolicyServiceGetResponse(_message.Message):
    __slots__ = ("version", "policy")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    version: _policy_pb2.PolicyVersion
    policy: _zone_pb2.Policy
    def __init__(self, version: _Optional[_Union[_policy_pb2.PolicyVersion, _Mapping]] = ..., policy: _Optional[_Union[_zone_pb2.Policy, _Mapping]] = ...) -> None: ...

class PolicyServiceListRequest(_message.Message):
    __slots__ = ("zone", "page_size", "page_token")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    zone: str
    page_size: int
    page_token: str
    def __init__(self, zone: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class PolicyServiceListResponse(_message.Message):
    __slots__ = ("versions", "next_page_token")
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    versions: _containers.RepeatedCompositeFieldContainer[_policy_pb2.PolicyVersion]
    next_page_token: str
    def __init__(self, versions: _Optional[_Iterable[_Union[_policy_pb2.PolicyVersion, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class PolicyServiceDeleteRequest(_message.Message):
    __slots__ = ("zone", "version")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    zone: str
    version: str
    def __init__(self, zone: _Optional[str] = ..., version: _Optional[str] = ...) -> None: ...

class PolicyServiceDeleteResponse(_message.Message):
    __slots__ = ("revision", "audit_id")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    revision: int
    audit_id: str
    def __init__(self, revision: _Optional[int] = ..., audit_id: _Optional[str] = ...) -> None: ...

class PolicyServiceActivateRequest(_message.Message):
    __slots__ = ("zone", "version", "expected_active")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_ACTIVE_FIELD_NUMBER: _ClassVar[int]
    zone: str
    version: str
    expected_active: str
    def __init__(self, zone: _Optional[str] = ..., version: _Optional[str] = ..., expected_active: _Optional[str] = ...) -> None: ...

class PolicyServiceActivateResponse(_message.Message):
    __slots__ = ("previous", "revision", "audit_id")
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    previous: str
    revision: int
    audit_id: str
    def __init__(self, previous: _Optional[str] = ..., revision: _Optional[int] = ..., audit_id: _Optional[str] = ...) -> None: ...

class PolicyServiceRollbackRequest(_message.Message):
    __slots__ = ("zone", "expected_active")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_ACTIVE_FIELD_NUMBER: _ClassVar[int]
    zone: str
    expected_active: str
    def __init__(self, zone: _Optional[str] = ..., expected_active: _Optional[str] = ...) -> None: ...

class PolicyServiceRollbackResponse(_message.Message):
    __slots__ = ("version", "previous", "revision", "audit_id")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    version: str
    previous: str
    revision: int
    audit_id: str
    def __init__(self, version: _Optional[str] = ..., previous: _Optional[str] = ..., revision: _Optional[int] = ..., audit_id: _Optional[str] = ...) -> None: ...

class PolicyServiceGetStatusRequest(_message.Message):
    __slots__ = ("zone",)
    ZONE_FIELD_NUMBER: _ClassVar[int]
    zone: str
    def __init__(self, zone: _Optional[str] = ...) -> None: ...

class PolicyServiceGetStatusResponse(_message.Message):
    __slots__ = ("active", "shadow", "activations", "replicas", "frozen")
    ACTIVE_FIELD_NUMBER: _ClassVar[int]
    SHADOW_FIELD_NUMBER: _ClassVar[int]
    ACTIVATIONS_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    FROZEN_FIELD_NUMBER: _ClassVar[int]
    active: str
    shadow: str
    activations: _containers.RepeatedCompositeFieldContainer[_policy_pb2.PolicyActivation]
    replicas: _containers.RepeatedCompositeFieldContainer[_policy_pb2.PolicyReplica]
    frozen: bool
    def __init__(self, active: _Optional[str] = ..., shadow: _Optional[str] = ..., activations: _Optional[_Iterable[_Union[_policy_pb2.PolicyActivation, _Mapping]]] = ..., replicas: _Optional[_Iterable[_Union[_policy_pb2.PolicyReplica, _Mapping]]] = ..., frozen: bool = ...) -> None: ...

class PolicyServiceSimulateRequest(_message.Message):
    __slots__ = ("zone", "version", "policy", "question")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    zone: str
    version: str
    policy: _zone_pb2.Policy
    question: _policy_pb2.PolicyQuestion
    def __init__(self, zone: _Optional[str] = ..., version: _Optional[str] = ..., policy: _Optional[_Union[_zone_pb2.Policy, _Mapping]] = ..., question: _Optional[_Union[_policy_pb2.PolicyQuestion, _Mapping]] = ...) -> None: ...

class PolicyServiceSimulateResponse(_message.Message):
    __slots__ = ("answer", "rules", "version", "input_json")
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INPUT_JSON_FIELD_NUMBER: _ClassVar[int]
    answer: _policy_pb2.PolicyAnswer
    rules: _containers.RepeatedCompositeFieldContainer[_policy_pb2.PolicyRule]
    version: str
    input_json: str
    def __init__(self, answer: _Optional[_Union[_policy_pb2.PolicyAnswer, _Mapping]] = ..., rules: _Optional[_Iterable[_Union[_policy_pb2.PolicyRule, _Mapping]]] = ..., version: _Optional[str] = ..., input_json: _Optional[str] = ...) -> None: ...

class PolicyServiceReplayRequest(_message.Message):
    __slots__ = ("zone", "version", "policy", "window")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    zone: str
    version: str
    policy: _zone_pb2.Policy
    window: _duration_pb2.Duration
    def __init__(self, zone: _Optional[str] = ..., version: _Optional[str] = ..., policy: _Optional[_Union[_zone_pb2.Policy, _Mapping]] = ..., window: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class PolicyServiceReplayResponse(_message.Message):
    __slots__ = ("replayed", "changed", "skipped", "differences", "done")
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCES_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    replayed: int
    changed: int
    skipped: int
    differences: _containers.RepeatedCompositeFieldContainer[_policy_pb2.PolicyDifference]
    done: bool
    def __init__(self, replayed: _Optional[int] = ..., changed: _Optional[int] = ..., skipped: _Optional[int] = ..., differences: _Optional[_Iterable[_Union[_policy_pb2.PolicyDifference, _Mapping]]] = ..., done: bool = ...) -> None: ...

class PolicyServiceSetShadowRequest(_message.Message):
    __slots__ = ("zone", "version")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    zone: str
    version: str
    def __init__(self, zone: _Optional[str] = ..., version: _Optional[str] = ...) -> None: ...

class PolicyServiceSetShadowResponse(_message.Message):
    __slots__ = ("revision", "audit_id")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    revision: int
    audit_id: str
    def __init__(self, revision: _Optional[int] = ..., audit_id: _Optional[str] = ...) -> None: ...

class PolicyServiceGetShadowRequest(_message.Message):
    __slots__ = ("zone",)
    ZONE_FIELD_NUMBER: _ClassVar[int]
    zone: str
    def __init__(self, zone: _Optional[str] = ...) -> None: ...

class PolicyServiceGetShadowResponse(_message.Message):
    __slots__ = ("version", "since_time", "compared", "changed", "dropped", "differences", "replica")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SINCE_TIME_FIELD_NUMBER: _ClassVar[int]
    COMPARED_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCES_FIELD_NUMBER: _ClassVar[int]
    REPLICA_FIELD_NUMBER: _ClassVar[int]
    version: str
    since_time: _timestamp_pb2.Timestamp
    compared: int
    changed: int
    dropped: int
    differences: _containers.RepeatedCompositeFieldContainer[_policy_pb2.PolicyDifference]
    replica: str
    def __init__(self, version: _Optional[str] = ..., since_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., compared: _Optional[int] = ..., changed: _Optional[int] = ..., dropped: _Optional[int] = ..., differences: _Optional[_Iterable[_Union[_policy_pb2.PolicyDifference, _Mapping]]] = ..., replica: _Optional[str] = ...) -> None: ...
