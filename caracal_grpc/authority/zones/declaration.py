"""The declared state of a zone."""

from __future__ import annotations

from dataclasses import dataclass, field

from caracal_grpc.authority.policies.content import Content
from caracal_grpc.core.ceiling import UNBOUNDED, Ceiling
from caracal_grpc.core.issuer import TrustedIssuer
from caracal_grpc.core.webhook import Webhook
from caracal_grpc.core.workload import WorkloadIdentity
from caracal_grpc.core.zone import ChainVisibility, Resource


@dataclass(frozen=True, slots=True)
class DeclaredApplication:
    """An application as its owner declares it; ids and secrets are the authority's."""

    name: str
    labels: tuple[str, ...] = ()
    ceiling: Ceiling = UNBOUNDED
    identities: tuple[WorkloadIdentity, ...] = ()
    jwks: str = field(default="", repr=False)

    @property
    def is_workload(self) -> bool:
        """Whether it authenticates by what it is, so that it needs no secret to begin with."""
        return bool(self.identities or self.jwks)


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of a zone, times in seconds; 0 means the default."""

    default_ttl: int = 0
    max_hops: int = 0
    key_publish: int = 0
    chain_visibility: ChainVisibility = "full"
    jwks_max_age: int = 0
    key_rotate: int = 0
    application_rate: int = 0
    application_burst: int = 0
    zone_rate: int = 0
    zone_burst: int = 0
    record_context: bool = False
    retention_days: int = 0


@dataclass(frozen=True, slots=True)
class Declaration:
    """What is declared of one zone. `None` of settings or of the policy is not to declare them."""

    name: str
    applications: tuple[DeclaredApplication, ...] = ()
    resources: tuple[Resource, ...] = ()
    policy: Content | None = None
    settings: Settings | None = None
    issuers: tuple[TrustedIssuer, ...] = ()
    proof_systems: tuple[TrustedIssuer, ...] = ()
    webhooks: tuple[Webhook, ...] = ()
    workload_issuers: tuple[TrustedIssuer, ...] = ()
