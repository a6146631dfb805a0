"""The shape of a manifest: what its JSON Schema is made from, and what reads it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Seconds = Annotated[int, Field(ge=0, le=86_400)]


class _Part(BaseModel):
    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True
    )


class Ceiling(_Part):
    """A resource and the scopes on it that an application can ever reach."""

    resource: str
    scopes: list[str]


class ServiceAccount(_Part):
    """A service account of Kubernetes; `issuer` is a workload issuer of the zone."""

    issuer: str
    namespace: str
    service_account: str


class Identity(_Part):
    """What a workload is by the word of others: exactly one of these."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    spiffe_id: str = ""
    """A SPIFFE id; `*` stands for one whole segment of its path."""
    dns_name: str = ""
    """A DNS name of a client certificate."""
    certificate_thumbprint: str = ""
    """The SHA-256 thumbprint of a client certificate, in base64url (`x5t#S256`)."""
    kubernetes: ServiceAccount | None = None

    @model_validator(mode="after")
    def _one(self) -> Identity:
        if len(self.model_fields_set) != 1:
            raise ValueError(f"must be exactly one of {', '.join(type(self).model_fields)}")
        return self


class Application(_Part):
    """A workload that can authenticate."""

    name: str
    labels: list[str] = []
    """What grants may ask of its sessions."""
    ceiling: list[Ceiling] = []
    """All that it can ever reach; without any, policy alone decides."""
    identities: list[Identity] = []
    """What it authenticates by; with one, or with `jwks`, it is made without a secret."""
    jwks: str = ""
    """Public keys of which it signs assertions of its own: a key set as JSON."""


class MayAct(_Part):
    """Who may act on behalf of whom at a resource."""

    actor: str
    subjects: list[str]


class Resource(_Part):
    """Something protected, with its scopes."""

    name: str
    scopes: list[str]
    max_ttl_seconds: Seconds = 0
    """The longest life of a mandate for it, 30 to 900; 0 means 900."""
    may_act: list[MayAct] = []


class Approval(_Part):
    """What an approval needs."""

    reviews: Annotated[int, Field(ge=0, le=16)] = 0
    reviewers: list[str] = []
    ttl_seconds: Annotated[int, Field(ge=0, le=604_800)] = 0
    proof_system: str = ""


class Grant(_Part):
    """One line of the built-in policy."""

    application: str
    resource: str
    scopes: list[str]
    subjects: list[str] = []
    """On whose behalf: names of applications, or `*`. Without any, and no users: for itself."""
    labels: list[str] = []
    """One of these must be on the session."""
    users: list[str] = []
    """On behalf of these users, too: `issuer/subject`, or `issuer/*`."""
    ttl_seconds: Seconds = 0
    """The longest life of such a mandate; 0 means the resource's."""
    step_up: list[str] = []
    """Those of its scopes that need an approval."""
    approval: Approval | None = None


class Module(_Part):
    """A Rego module that is written out."""

    name: str
    source: str


class Policy(_Part):
    """Rego modules; without any the grants decide."""

    modules: list[str | Module] = []
    """Files beside the manifest, or modules that are written out."""
    tests: list[str | Module] = []
    """Modules of `package caracal.authz_test`: each of their rules `test_*` must hold."""


class RateLimits(_Part):
    """How much may be asked for, at each replica; 0 means the default."""

    application_per_second: Annotated[int, Field(ge=0, le=100_000)] = 0
    application_burst: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    zone_per_second: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    zone_burst: Annotated[int, Field(ge=0, le=10_000_000)] = 0


class Settings(_Part):
    """Settings of the zone; 0 means the default."""

    default_ttl_seconds: Seconds = 0
    max_hops: Annotated[int, Field(ge=0, le=10)] = 0
    key_publish_seconds: Seconds = 0
    chain_visibility: Literal["full", "hashed", "last"] = "full"
    jwks_max_age_seconds: Seconds = 0
    key_rotate_seconds: Annotated[int, Field(ge=0, le=31_536_000)] = 0
    limits: RateLimits = RateLimits()
    record_context: bool = False
    retention_days: Annotated[int, Field(ge=0, le=36_500)] = 0


class Issuer(_Part):
    """Somebody whose signed tokens the zone believes; `jwks` is a key set as JSON."""

    name: str
    issuer: str
    audience: str
    jwks_uri: str = ""
    jwks: str = ""
    algorithms: list[str] = []
    max_age_seconds: Seconds = 0


class WorkloadIssuer(Issuer):
    """Who says what workloads are: a trust domain of SPIFFE, or a cluster of Kubernetes."""

    audience: str = ""
    """The zone's issuer URL, or nothing for that."""


class Webhook(_Part):
    """Where new approvals are told."""

    name: str
    url: str


class Shape(_Part):
    """What is declared of one zone, or, with more files of the same zone, a part of that."""

    zone: Annotated[str, Field(min_length=1)]
    applications: list[Application] = []
    resources: list[Resource] = []
    grants: list[Grant] = []
    policy: Policy = Policy()
    settings: Settings = Settings()
    issuers: list[Issuer] = []
    proof_systems: list[Issuer] = []
    workload_issuers: list[WorkloadIssuer] = []
    webhooks: list[Webhook] = []
