from caracal_grpc.v1 import application_pb2 as _application_pb2
from caracal_grpc.v1 import resource_pb2 as _resource_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ChangeAction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHANGE_ACTION_UNSPECIFIED: _ClassVar[ChangeAction]
    CHANGE_ACTION_CREATE: _ClassVar[ChangeAction]
    CHANGE_ACTION_UPDATE: _ClassVar[ChangeAction]
    CHANGE_ACTION_DELETE: _ClassVar[ChangeAction]
CHANGE_ACTION_UNSPECIFIED: ChangeAction
CHANGE_ACTION_CREATE: ChangeAction
CHANGE_ACTION_UPDATE: ChangeAction
CHANGE_ACTION_DELETE: ChangeAction

class Grant(_message.Message):
    __slots__ = ("application", "resource", "scopes", "subjects", "labels", "ttl_seconds", "step_up")
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    TTL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    STEP_UP_FIELD_NUMBER: _ClassVar[int]
    application: str
    resource: str
    scopes: _containers.RepeatedScalarFieldContainer[str]
    subjects: _containers.RepeatedScalarFieldContainer[str]
    labels: _containers.RepeatedScalarFieldContainer[str]
    ttl_seconds: int
    step_up: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, application: _Optional[str] = ..., resource: _Optional[str] = ..., scopes: _Optional[_Iterable[str]] = ..., subjects: _Optional[_Iterable[str]] = ..., labels: _Optional[_Iterable[str]] = ..., ttl_seconds: _Optional[int] = ..., step_up: _Optional[_Iterable[str]] = ...) -> None: ...

class PolicyModule(_message.Message):
    __slots__ = ("name", "source")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    name: str
    source: str
    def __init__(self, name: _Optional[str] = ..., source: _Optional[str] = ...) -> None: ...

class Policy(_message.Message):
    __slots__ = ("grants", "modules", "version")
    GRANTS_FIELD_NUMBER: _ClassVar[int]
    MODULES_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    grants: _containers.RepeatedCompositeFieldContainer[Grant]
    modules: _containers.RepeatedCompositeFieldContainer[PolicyModule]
    version: str
    def __init__(self, grants: _Optional[_Iterable[_Union[Grant, _Mapping]]] = ..., modules: _Optional[_Iterable[_Union[PolicyModule, _Mapping]]] = ..., version: _Optional[str] = ...) -> None: ...

class ZoneSettings(_message.Message):
    __slots__ = ("default_ttl_seconds", "max_hops", "key_publish_seconds")
    DEFAULT_TTL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    MAX_HOPS_FIELD_NUMBER: _ClassVar[int]
    KEY_PUBLISH_SECONDS_FIELD_NUMBER: _ClassVar[int]
    default_ttl_seconds: int
    max_hops: int
    key_publish_seconds: int
    def __init__(self, default_ttl_seconds: _Optional[int] = ..., max_hops: _Optional[int] = ..., key_publish_seconds: _Optional[int] = ...) -> None: ...

class Zone(_message.Message):
    __slots__ = ("name", "issuer", "applications", "resources", "policy", "settings")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ISSUER_FIELD_NUMBER: _ClassVar[int]
    APPLICATIONS_FIELD_NUMBER: _ClassVar[int]
    RESOURCES_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    name: str
    issuer: str
    applications: _containers.RepeatedCompositeFieldContainer[_application_pb2.Application]
    resources: _containers.RepeatedCompositeFieldContainer[_resource_pb2.Resource]
    policy: Policy
    settings: ZoneSettings
    def __init__(self, name: _Optional[str] = ..., issuer: _Optional[str] = ..., applications: _Optional[_Iterable[_Union[_application_pb2.Application, _Mapping]]] = ..., resources: _Optional[_Iterable[_Union[_resource_pb2.Resource, _Mapping]]] = ..., policy: _Optional[_Union[Policy, _Mapping]] = ..., settings: _Optional[_Union[ZoneSettings, _Mapping]] = ...) -> None: ...

class Change(_message.Message):
    __slots__ = ("action", "kind", "name", "fields")
    ACTION_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    action: ChangeAction
    kind: str
    name: str
    fields: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, action: _Optional[_Union[ChangeAction, str]] = ..., kind: _Optional[str] = ..., name: _Optional[str] = ..., fields: _Optional[_Iterable[str]] = ...) -> None: ...
