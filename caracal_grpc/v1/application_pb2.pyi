from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Ceiling(_message.Message):
    __slots__ = ("resource", "scopes")
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    resource: str
    scopes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, resource: _Optional[str] = ..., scopes: _Optional[_Iterable[str]] = ...) -> None: ...

class KubernetesIdentity(_message.Message):
    __slots__ = ("issuer", "namespace", "service_account")
    ISSUER_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    SERVICE_ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    issuer: str
    namespace: str
    service_account: str
    def __init__(self, issuer: _Optional[str] = ..., namespace: _Optional[str] = ..., service_account: _Optional[str] = ...) -> None: ...

class WorkloadIdentity(_message.Message):
    __slots__ = ("spiffe_id", "dns_name", "certificate_thumbprint", "kubernetes")
    SPIFFE_ID_FIELD_NUMBER: _ClassVar[int]
    DNS_NAME_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_THUMBPRINT_FIELD_NUMBER: _ClassVar[int]
    KUBERNETES_FIELD_NUMBER: _ClassVar[int]
    spiffe_id: str
    dns_name: str
    certificate_thumbprint: str
    kubernetes: KubernetesIdentity
    def __init__(self, spiffe_id: _Optional[str] = ..., dns_name: _Optional[str] = ..., certificate_thumbprint: _Optional[str] = ..., kubernetes: _Optional[_Union[KubernetesIdentity, _Mapping]] = ...) -> None: ...

class Application(_message.Message):
    __slots__ = ("id", "name", "labels", "ceiling", "disabled", "standing_session_id", "etag", "identities", "jwks")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    CEILING_FIELD_NUMBER: _ClassVar[int]
    DISABLED_FIELD_NUMBER: _ClassVar[int]
    STANDING_SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    IDENTITIES_FIELD_NUMBER: _ClassVar[int]
    JWKS_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    labels: _containers.RepeatedScalarFieldContainer[str]
    ceiling: _containers.RepeatedCompositeFieldContainer[Ceiling]
    disabled: bool
    standing_session_id: str
    etag: str
    identities: _containers.RepeatedCompositeFieldContainer[WorkloadIdentity]
    jwks: str
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., labels: _Optional[_Iterable[str]] = ..., ceiling: _Optional[_Iterable[_Union[Ceiling, _Mapping]]] = ..., disabled: bool = ..., standing_session_id: _Optional[str] = ..., etag: _Optional[str] = ..., identities: _Optional[_Iterable[_Union[WorkloadIdentity, _Mapping]]] = ..., jwks: _Optional[str] = ...) -> None: ...

class Credential(_message.Message):
    __slots__ = ("application_id", "application_name", "client_secret", "id")
    APPLICATION_ID_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_NAME_FIELD_NUMBER: _ClassVar[int]
    CLIENT_SECRET_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    application_id: str
    application_name: str
    client_secret: str
    id: str
    def __init__(self, application_id: _Optional[str] = ..., application_name: _Optional[str] = ..., client_secret: _Optional[str] = ..., id: _Optional[str] = ...) -> None: ...

class CredentialInfo(_message.Message):
    __slots__ = ("id", "application_id", "create_time", "expire_time")
    ID_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_ID_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    id: str
    application_id: str
    create_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., application_id: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
