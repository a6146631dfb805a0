from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MandateUse(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MANDATE_USE_UNSPECIFIED: _ClassVar[MandateUse]
    MANDATE_USE_RESOURCE: _ClassVar[MandateUse]
    MANDATE_USE_SESSION: _ClassVar[MandateUse]

class SubjectType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SUBJECT_TYPE_UNSPECIFIED: _ClassVar[SubjectType]
    SUBJECT_TYPE_APPLICATION: _ClassVar[SubjectType]
    SUBJECT_TYPE_USER: _ClassVar[SubjectType]
MANDATE_USE_UNSPECIFIED: MandateUse
MANDATE_USE_RESOURCE: MandateUse
MANDATE_USE_SESSION: MandateUse
SUBJECT_TYPE_UNSPECIFIED: SubjectType
SUBJECT_TYPE_APPLICATION: SubjectType
SUBJECT_TYPE_USER: SubjectType

class Hop(_message.Message):
    __slots__ = ("application_id", "agent_session_id", "delegation_edge_id")
    APPLICATION_ID_FIELD_NUMBER: _ClassVar[int]
    AGENT_SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    DELEGATION_EDGE_ID_FIELD_NUMBER: _ClassVar[int]
    application_id: str
    agent_session_id: str
    delegation_edge_id: str
    def __init__(self, application_id: _Optional[str] = ..., agent_session_id: _Optional[str] = ..., delegation_edge_id: _Optional[str] = ...) -> None: ...

class Mandate(_message.Message):
    __slots__ = ("jti", "issuer", "zone", "use", "resource", "scopes", "subject", "subject_type", "application_id", "session_id", "root_session_id", "chain", "issue_time", "expire_time", "policy_version", "audit_id", "certificate_thumbprint", "approval_id", "user_issuer", "user_subject")
    JTI_FIELD_NUMBER: _ClassVar[int]
    ISSUER_FIELD_NUMBER: _ClassVar[int]
    ZONE_FIELD_NUMBER: _ClassVar[int]
    USE_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_TYPE_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    ROOT_SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    CHAIN_FIELD_NUMBER: _ClassVar[int]
    ISSUE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_THUMBPRINT_FIELD_NUMBER: _ClassVar[int]
    APPROVAL_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ISSUER_FIELD_NUMBER: _ClassVar[int]
    USER_SUBJECT_FIELD_NUMBER: _ClassVar[int]
    jti: str
    issuer: str
    zone: str
    use: MandateUse
    resource: str
    scopes: _containers.RepeatedScalarFieldContainer[str]
    subject: str
    subject_type: SubjectType
    application_id: str
    session_id: str
    root_session_id: str
    chain: _containers.RepeatedCompositeFieldContainer[Hop]
    issue_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    policy_version: str
    audit_id: str
    certificate_thumbprint: str
    approval_id: str
    user_issuer: str
    user_subject: str
    def __init__(self, jti: _Optional[str] = ..., issuer: _Optional[str] = ..., zone: _Optional[str] = ..., use: _Optional[_Union[MandateUse, str]] = ..., resource: _Optional[str] = ..., scopes: _Optional[_Iterable[str]] = ..., subject: _Optional[str] = ..., subject_type: _Optional[_Union[SubjectType, str]] = ..., application_id: _Optional[str] = ..., session_id: _Optional[str] = ..., root_session_id: _Optional[str] = ..., chain: _Optional[_Iterable[_Union[Hop, _Mapping]]] = ..., issue_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., policy_version: _Optional[str] = ..., audit_id: _Optional[str] = ..., certificate_thumbprint: _Optional[str] = ..., approval_id: _Optional[str] = ..., user_issuer: _Optional[str] = ..., user_subject: _Optional[str] = ...) -> None: ...
