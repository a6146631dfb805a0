from caracal_grpc.v1 import application_pb2 as _application_pb2
from caracal_grpc.v1 import authority_pb2 as _authority_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CredentialServiceGetRequest(_message.Message):
    __slots__ = ("zone", "id")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    zone: str
    id: str
    def __init__(self, zone: _Optional[str] = ..., id: _Optional[str] = ...) -> None: ...

class CredentialServiceGetResponse(_message.Message):
    __slots__ = ("credential",)
    CREDENTIAL_FIELD_NUMBER: _ClassVar[int]
    credential: _application_pb2.CredentialInfo
    def __init__(self, credential: _Optional[_Union[_application_pb2.CredentialInfo, _Mapping]] = ...) -> None: ...

class CredentialServiceListRequest(_message.Message):
    __slots__ = ("zone", "application", "page_size", "page_token")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    zone: str
    application: str
    page_size: int
    page_token: str
    def __init__(self, zone: _Optional[str] = ..., application: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class CredentialServiceListResponse(_message.Message):
    __slots__ = ("credentials", "next_page_token")
    CREDENTIALS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    credentials: _containers.RepeatedCompositeFieldContainer[_application_pb2.CredentialInfo]
    next_page_token: str
    def __init__(self, credentials: _Optional[_Iterable[_Union[_application_pb2.CredentialInfo, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class CredentialServiceCreateRequest(_message.Message):
    __slots__ = ("zone", "application", "ttl", "expire_others")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_OTHERS_FIELD_NUMBER: _ClassVar[int]
    zone: str
    application: str
    ttl: _duration_pb2.Duration
    expire_others: _duration_pb2.Duration
    def __init__(self, zone: _Optional[str] = ..., application: _Optional[str] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., expire_others: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class CredentialServiceCreateResponse(_message.Message):
    __slots__ = ("credential", "info", "revision", "audit_id")
    CREDENTIAL_FIELD_NUMBER: _ClassVar[int]
    INFO_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    credential: _application_pb2.Credential
    info: _application_pb2.CredentialInfo
    revision: int
    audit_id: str
    def __init__(self, credential: _Optional[_Union[_application_pb2.Credential, _Mapping]] = ..., info: _Optional[_Union[_application_pb2.CredentialInfo, _Mapping]] = ..., revision: _Optional[int] = ..., audit_id: _Optional[str] = ...) -> None: ...

class CredentialServiceDeleteRequest(_message.Message):
    __slots__ = ("zone", "id")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    zone: str
    id: str
    def __init__(self, zone: _Optional[str] = ..., id: _Optional[str] = ...) -> None: ...

class CredentialServiceDeleteResponse(_message.Message):
    __slots__ = ("revision", "audit_id")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    revision: int
    audit_id: str
    def __init__(self, revision: _Optional[int] = ..., audit_id: _Optional[str] = ...) -> None: ...
