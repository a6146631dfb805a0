from caracal_grpc.v1 import application_pb2 as _application_pb2
from caracal_grpc.v1 import authority_pb2 as _authority_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ApplicationServiceGetRequest(_message.Message):
    __slots__ = ("zone", "application")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    zone: str
    application: str
    def __init__(self, zone: _Optional[str] = ..., application: _Optional[str] = ...) -> None: ...

class ApplicationServiceGetResponse(_message.Message):
    __slots__ = ("application",)
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    application: _application_pb2.Application
    def __init__(self, application: _Optional[_Union[_application_pb2.Application, _Mapping]] = ...) -> None: ...

class ApplicationServiceListRequest(_message.Message):
    __slots__ = ("zone", "filter", "page_size", "page_token")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    zone: str
    filter: str
    page_size: int
    page_token: str
    def __init__(self, zone: _Optional[str] = ..., filter: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ApplicationServiceListResponse(_message.Message):
    __slots__ = ("applications", "next_page_token")
    APPLICATIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    applications: _containers.RepeatedCompositeFieldContainer[_application_pb2.Application]
    next_page_token: str
    def __init__(self, applications: _Optional[_Iterable[_Union[_application_pb2.Application, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ApplicationServiceCreateRequest(_message.Message):
    __slots__ = ("zone", "application")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    zone: str
    application: _application_pb2.Application
    def __init__(self, zone: _Optional[str] = ..., application: _Optional[_Union[_application_pb2.Application, _Mapping]] = ...) -> None: ...

class ApplicationServiceCreateResponse(_message.Message):
    __slots__ = ("application", "credential", "revision", "audit_id")
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    CREDENTIAL_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    application: _application_pb2.Application
    credential: _application_pb2.Credential
    revision: int
    audit_id: str
    def __init__(self, application: _Optional[_Union[_application_pb2.Application, _Mapping]] = ..., credential: _Optional[_Union[_application_pb2.Credential, _Mapping]] = ..., revision: _Optional[int] = ..., audit_id: _Optional[str] = ...) -> None: ...

class ApplicationServiceUpdateRequest(_message.Message):
    __slots__ = ("zone", "application", "update_mask")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    zone: str
    application: _application_pb2.Application
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, zone: _Optional[str] = ..., application: _Optional[_Union[_application_pb2.Application, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class ApplicationServiceUpdateResponse(_message.Message):
    __slots__ = ("application", "revision", "audit_id")
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    application: _application_pb2.Application
    revision: int
    audit_id: str
    def __init__(self, application: _Optional[_Union[_application_pb2.Application, _Mapping]] = ..., revision: _Optional[int] = ..., audit_id: _Optional[str] = ...) -> None: ...

class ApplicationServiceDeleteRequest(_message.Message):
    __slots__ = ("zone", "application", "etag")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    zone: str
    application: str
    etag: str
    def __init__(self, zone: _Optional[str] = ..., application: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class ApplicationServiceDeleteResponse(_message.Message):
    __slots__ = ("revision", "audit_id")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    revision: int
    audit_id: str
    def __init__(self, revision: _Optional[int] = ..., audit_id: _Optional[str] = ...) -> None: ...
