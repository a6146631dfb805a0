from caracal_grpc.v1 import application_pb2 as _application_pb2
from caracal_grpc.v1 import resource_pb2 as _resource_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ChainVisibility(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHAIN_VISIBILITY_UNSPECIFIED: _ClassVar[ChainVisibility]
    CHAIN_VISIBILITY_FULL: _ClassVar[ChainVisibility]
    CHAIN_VISIBILITY_HASHED: _ClassVar[ChainVisibility]
    CHAIN_VISIBILITY_LAST: _ClassVar[ChainVisibility]

class ChangeAction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHANGE_ACTION_UNSPECIFIED: _ClassVar[ChangeAction]
    CHANGE_ACTION_CREATE: _ClassVar[ChangeAction]
    CHANGE_ACTION_UPDATE: _ClassVar[ChangeAction]
    CHANGE_ACTION_DELETE: _ClassVar[ChangeAction]
CHAIN_VISIBILITY_UNSPECIFIED: ChainVisibility
CHAIN_VISIBILITY_FULL: ChainVisibility
CHAIN_VISIBILITY_HASHED: ChainVisibility
CHAIN_VISIBILITY_LAST: ChainVisibility
CHANGE_ACTION_UNSPECIFIED: ChangeAction
CHANGE_ACTION_CREATE: ChangeAction
CHANGE_ACTION_UPDATE: ChangeAction
CHANGE_ACTION_DELETE: ChangeAction

class Grant(_message.Message):
    __slots__ = ("application", "resource", "scopes", "subjects", "labels", "ttl_seconds", "step_up", "users", "approval")
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    TTL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    STEP_UP_FIELD_NUMBER: _ClassVar[int]
    USERS_FIELD_NUMBER: _ClassVar[int]
    APPROVAL_FIELD_NUMBER: _ClassVar[int]
    application: str
    resource: str
    scopes: _containers.RepeatedScalarFieldContainer[str]
    subjects: _containers.RepeatedScalarFieldContainer[str]
    labels: _containers.RepeatedScalarFieldContainer[str]
    ttl_seconds: int
    step_up: _containers.RepeatedScalarFieldContainer[str]
    users: _containers.RepeatedScalarFieldContainer[str]
    approval: ApprovalRule
    def __init__(self, application: _Optional[str] = ..., resource: _Optional[str] = ..., scopes: _Optional[_Iterable[str]] = ..., subjects: _Optional[_Iterable[str]] = ..., labels: _Optional[_Iterable[str]] = ..., ttl_seconds: _Optional[int] = ..., step_up: _Optional[_Iterable[str]] = ..., users: _Optional[_Iterable[str]] = ..., approval: _Optional[_Union[ApprovalRule, _Mapping]] = ...) -> None: ...

class ApprovalRule(_message.Message):
    __slots__ = ("reviews", "reviewers", "ttl_seconds", "proof_system")
    REVIEWS_FIELD_NUMBER: _ClassVar[int]
    REVIEWERS_FIELD_NUMBER: _ClassVar[int]
    TTL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    PROOF_SYSTEM_FIELD_NUMBER: _ClassVar[int]
    reviews: int
    reviewers: _containers.RepeatedScalarFieldContainer[str]
    ttl_seconds: int
    proof_system: str
    def __init__(self, reviews: _Optional[int] = ..., reviewers: _Optional[_Iterable[str]] = ..., ttl_seconds: _Optional[int] = ..., proof_system: _Optional[str] = ...) -> None: ...

class Issuer(_message.Message):
    __slots__ = ("name", "issuer", "audience", "jwks_uri", "jwks", "algorithms", "max_age_seconds", "etag")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ISSUER_FIELD_NUMBER: _ClassVar[int]
    AUDIENCE_FIELD_NUMBER: _ClassVar[int]
    JWKS_URI_FIELD_NUMBER: _ClassVar[int]
    JWKS_FIELD_NUMBER: _ClassVar[int]
    ALGORITHMS_FIELD_NUMBER: _ClassVar[int]
    MAX_AGE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    name: str
    issuer: str
    audience: str
    jwks_uri: str
    jwks: str
    algorithms: _containers.RepeatedScalarFieldContainer[str]
    max_age_seconds: int
    etag: str
    def __init__(self, name: _Optional[str] = ..., issuer: _Optional[str] = ..., audience: _Optional[str] = ..., jwks_uri: _Optional[str] = ..., jwks: _Optional[str] = ..., algorithms: _Optional[_Iterable[str]] = ..., max_age_seconds: _Optional[int] = ..., etag: _Optional[str] = ...) -> None: ...

class Webhook(_message.Message):
    __slots__ = ("name", "url")
    NAME_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    name: str
    url: str
    def __init__(self, name: _Optional[str] = ..., url: _Optional[str] = ...) -> None: ...

class PolicyModule(_message.Message):
    __slots__ = ("name", "source")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    name: str
    source: str
    def __init__(self, name: _Optional[str] = ..., source: _Optional[str] = ...) -> None: ...

class Policy(_message.Message):
    __slots__ = ("grants", "modules", "version", "tests")
    GRANTS_FIELD_NUMBER: _ClassVar[int]
    MODULES_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    TESTS_FIELD_NUMBER: _ClassVar[int]
    grants: _containers.RepeatedCompositeFieldContainer[Grant]
    modules: _containers.RepeatedCompositeFieldContainer[PolicyModule]
    version: str
    tests: _containers.RepeatedCompositeFieldContainer[PolicyModule]
    def __init__(self, grants: _Optional[_Iterable[_Union[Grant, _Mapping]]] = ..., modules: _Optional[_Iterable[_Union[PolicyModule, _Mapping]]] = ..., version: _Optional[str] = ..., tests: _Optional[_Iterable[_Union[PolicyModule, _Mapping]]] = ...) -> None: ...

class ZoneSettings(_message.Message):
    __slots__ = ("default_ttl_seconds", "max_hops", "key_publish_seconds", "chain_visibility", "jwks_max_age_seconds", "key_rotate_seconds", "limits", "record_context", "retention_days")
    DEFAULT_TTL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    MAX_HOPS_FIELD_NUMBER: _ClassVar[int]
    KEY_PUBLISH_SECONDS_FIELD_NUMBER: _ClassVar[int]
    CHAIN_VISIBILITY_FIELD_NUMBER: _ClassVar[int]
    JWKS_MAX_AGE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    KEY_ROTATE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    RECORD_CONTEXT_FIELD_NUMBER: _ClassVar[int]
    RETENTION_DAYS_FIELD_NUMBER: _ClassVar[int]
    default_ttl_seconds: int
    max_hops: int
    key_publish_seconds: int
    chain_visibility: ChainVisibility
    jwks_max_age_seconds: int
    key_rotate_seconds: int
    limits: RateLimits
    record_context: bool
    retention_days: int
    def __init__(self, default_ttl_seconds: _Optional[int] = ..., max_hops: _Optional[int] = ..., key_publish_seconds: _Optional[int] = ..., chain_visibility: _Optional[_Union[ChainVisibility, str]] = ..., jwks_max_age_seconds: _Optional[int] = ..., key_rotate_seconds: _Optional[int] = ..., limits: _Optional[_Union[RateLimits, _Mapping]] = ..., record_context: bool = ..., retention_days: _Optional[int] = ...) -> None: ...

class RateLimits(_message.Message):
    __slots__ = ("application_per_second", "application_burst", "zone_per_second", "zone_burst")
    APPLICATION_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_BURST_FIELD_NUMBER: _ClassVar[int]
    ZONE_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    ZONE_BURST_FIELD_NUMBER: _ClassVar[int]
    application_per_second: int
    application_burst: int
    zone_per_second: int
    zone_burst: int
    def __init__(self, application_per_second: _Optional[int] = ..., application_burst: _Optional[int] = ..., zone_per_second: _Optional[int] = ..., zone_burst: _Optional[int] = ...) -> None: ...

class Zone(_message.Message):
    __slots__ = ("name", "issuer", "applications", "resources", "policy", "settings", "issuers", "proof_systems", "webhooks", "frozen", "etag", "workload_issuers")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ISSUER_FIELD_NUMBER: _ClassVar[int]
    APPLICATIONS_FIELD_NUMBER: _ClassVar[int]
    RESOURCES_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    ISSUERS_FIELD_NUMBER: _ClassVar[int]
    PROOF_SYSTEMS_FIELD_NUMBER: _ClassVar[int]
    WEBHOOKS_FIELD_NUMBER: _ClassVar[int]
    FROZEN_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    WORKLOAD_ISSUERS_FIELD_NUMBER: _ClassVar[int]
    name: str
    issuer: str
    applications: _containers.RepeatedCompositeFieldContainer[_application_pb2.Application]
    resources: _containers.RepeatedCompositeFieldContainer[_resource_pb2.Resource]
    policy: Policy
    settings: ZoneSettings
    issuers: _containers.RepeatedCompositeFieldContainer[Issuer]
    proof_systems: _containers.RepeatedCompositeFieldContainer[Issuer]
    webhooks: _containers.RepeatedCompositeFieldContainer[Webhook]
    frozen: bool
    etag: str
    workload_issuers: _containers.RepeatedCompositeFieldContainer[Issuer]
    def __init__(self, name: _Optional[str] = ..., issuer: _Optional[str] = ..., applications: _Optional[_Iterable[_Union[_application_pb2.Application, _Mapping]]] = ..., resources: _Optional[_Iterable[_Union[_resource_pb2.Resource, _Mapping]]] = ..., policy: _Optional[_Union[Policy, _Mapping]] = ..., settings: _Optional[_Union[ZoneSettings, _Mapping]] = ..., issuers: _Optional[_Iterable[_Union[Issuer, _Mapping]]] = ..., proof_systems: _Optional[_Iterable[_Union[Issuer, _Mapping]]] = ..., webhooks: _Optional[_Iterable[_Union[Webhook, _Mapping]]] = ..., frozen: bool = ..., etag: _Optional[str] = ..., workload_issuers: _Optional[_Iterable[_Union[Issuer, _Mapping]]] = ...) -> None: ...

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
