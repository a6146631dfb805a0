from caracal_grpc.v1 import mandate_pb2 as _mandate_pb2
from caracal_grpc.v1 import session_pb2 as _session_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ApprovalState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    APPROVAL_STATE_UNSPECIFIED: _ClassVar[ApprovalState]
    APPROVAL_STATE_PENDING: _ClassVar[ApprovalState]
    APPROVAL_STATE_APPROVED: _ClassVar[ApprovalState]
    APPROVAL_STATE_REJECTED: _ClassVar[ApprovalState]
    APPROVAL_STATE_EXPIRED: _ClassVar[ApprovalState]
    APPROVAL_STATE_CONSUMED: _ClassVar[ApprovalState]
APPROVAL_STATE_UNSPECIFIED: ApprovalState
APPROVAL_STATE_PENDING: ApprovalState
APPROVAL_STATE_APPROVED: ApprovalState
APPROVAL_STATE_REJECTED: ApprovalState
APPROVAL_STATE_EXPIRED: ApprovalState
APPROVAL_STATE_CONSUMED: ApprovalState

class ApprovalVote(_message.Message):
    __slots__ = ("application_id", "subject", "approved", "reason", "time")
    APPLICATION_ID_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    APPROVED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    application_id: str
    subject: str
    approved: bool
    reason: str
    time: _timestamp_pb2.Timestamp
    def __init__(self, application_id: _Optional[str] = ..., subject: _Optional[str] = ..., approved: bool = ..., reason: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Approval(_message.Message):
    __slots__ = ("id", "zone", "state", "application_id", "application_name", "subject", "subject_type", "user", "resource", "scopes", "session_id", "actor_chain", "context", "policy_version", "policy_reasons", "binding", "nonce", "proof_system", "reviews_needed", "reviewers", "votes", "create_time", "expire_time", "audit_id")
    class ContextEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    ZONE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_ID_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_NAME_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_TYPE_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    ACTOR_CHAIN_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    POLICY_REASONS_FIELD_NUMBER: _ClassVar[int]
    BINDING_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    PROOF_SYSTEM_FIELD_NUMBER: _ClassVar[int]
    REVIEWS_NEEDED_FIELD_NUMBER: _ClassVar[int]
    REVIEWERS_FIELD_NUMBER: _ClassVar[int]
    VOTES_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    zone: str
    state: ApprovalState
    application_id: str
    application_name: str
    subject: str
    subject_type: _mandate_pb2.SubjectType
    user: _session_pb2.User
    resource: str
    scopes: _containers.RepeatedScalarFieldContainer[str]
    session_id: str
    actor_chain: _containers.RepeatedScalarFieldContainer[str]
    context: _containers.ScalarMap[str, str]
    policy_version: str
    policy_reasons: _containers.RepeatedScalarFieldContainer[str]
    binding: str
    nonce: str
    proof_system: str
    reviews_needed: int
    reviewers: _containers.RepeatedScalarFieldContainer[str]
    votes: _containers.RepeatedCompositeFieldContainer[ApprovalVote]
    create_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    audit_id: str
    def __init__(self, id: _Optional[str] = ..., zone: _Optional[str] = ..., state: _Optional[_Union[ApprovalState, str]] = ..., application_id: _Optional[str] = ..., application_name: _Optional[str] = ..., subject: _Optional[str] = ..., subject_type: _Optional[_Union[_mandate_pb2.SubjectType, str]] = ..., user: _Optional[_Union[_session_pb2.User, _Mapping]] = ..., resource: _Optional[str] = ..., scopes: _Optional[_Iterable[str]] = ..., session_id: _Optional[str] = ..., actor_chain: _Optional[_Iterable[str]] = ..., context: _Optional[_Mapping[str, str]] = ..., policy_version: _Optional[str] = ..., policy_reasons: _Optional[_Iterable[str]] = ..., binding: _Optional[str] = ..., nonce: _Optional[str] = ..., proof_system: _Optional[str] = ..., reviews_needed: _Optional[int] = ..., reviewers: _Optional[_Iterable[str]] = ..., votes: _Optional[_Iterable[_Union[ApprovalVote, _Mapping]]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., audit_id: _Optional[str] = ...) -> None: ...
