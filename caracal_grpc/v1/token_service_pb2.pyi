from caracal_grpc.v1 import audit_pb2 as _audit_pb2
from caracal_grpc.v1 import authority_pb2 as _authority_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ClientAuthentication(_message.Message):
    __slots__ = ("application_id", "client_secret", "client_assertion")
    APPLICATION_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_SECRET_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ASSERTION_FIELD_NUMBER: _ClassVar[int]
    application_id: str
    client_secret: str
    client_assertion: str
    def __init__(self, application_id: _Optional[str] = ..., client_secret: _Optional[str] = ..., client_assertion: _Optional[str] = ...) -> None: ...

class ExchangeRequest(_message.Message):
    __slots__ = ("zone", "client", "resource", "scopes", "subject_token", "session_id", "ttl", "request_id", "context", "bind", "actor_token", "approval_id", "lease_generation", "receipt")
    class ContextEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ZONE_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    BIND_FIELD_NUMBER: _ClassVar[int]
    ACTOR_TOKEN_FIELD_NUMBER: _ClassVar[int]
    APPROVAL_ID_FIELD_NUMBER: _ClassVar[int]
    LEASE_GENERATION_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    zone: str
    client: ClientAuthentication
    resource: str
    scopes: _containers.RepeatedScalarFieldContainer[str]
    subject_token: str
    session_id: str
    ttl: _duration_pb2.Duration
    request_id: str
    context: _containers.ScalarMap[str, str]
    bind: bool
    actor_token: str
    approval_id: str
    lease_generation: int
    receipt: bool
    def __init__(self, zone: _Optional[str] = ..., client: _Optional[_Union[ClientAuthentication, _Mapping]] = ..., resource: _Optional[str] = ..., scopes: _Optional[_Iterable[str]] = ..., subject_token: _Optional[str] = ..., session_id: _Optional[str] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., request_id: _Optional[str] = ..., context: _Optional[_Mapping[str, str]] = ..., bind: bool = ..., actor_token: _Optional[str] = ..., approval_id: _Optional[str] = ..., lease_generation: _Optional[int] = ..., receipt: bool = ...) -> None: ...

class ExchangeResponse(_message.Message):
    __slots__ = ("mandate", "expires_in", "scopes", "audit_id", "issued_token_type", "jti", "certificate_thumbprint", "receipt")
    MANDATE_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_IN_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    ISSUED_TOKEN_TYPE_FIELD_NUMBER: _ClassVar[int]
    JTI_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_THUMBPRINT_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    mandate: str
    expires_in: _duration_pb2.Duration
    scopes: _containers.RepeatedScalarFieldContainer[str]
    audit_id: str
    issued_token_type: str
    jti: str
    certificate_thumbprint: str
    receipt: _audit_pb2.Receipt
    def __init__(self, mandate: _Optional[str] = ..., expires_in: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., scopes: _Optional[_Iterable[str]] = ..., audit_id: _Optional[str] = ..., issued_token_type: _Optional[str] = ..., jti: _Optional[str] = ..., certificate_thumbprint: _Optional[str] = ..., receipt: _Optional[_Union[_audit_pb2.Receipt, _Mapping]] = ...) -> None: ...

class ConsumeRequest(_message.Message):
    __slots__ = ("zone", "mandate", "request_id", "method")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    MANDATE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    zone: str
    mandate: str
    request_id: str
    method: str
    def __init__(self, zone: _Optional[str] = ..., mandate: _Optional[str] = ..., request_id: _Optional[str] = ..., method: _Optional[str] = ...) -> None: ...

class ConsumeResponse(_message.Message):
    __slots__ = ("revision", "audit_id")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    revision: int
    audit_id: str
    def __init__(self, revision: _Optional[int] = ..., audit_id: _Optional[str] = ...) -> None: ...
