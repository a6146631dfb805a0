"""A shop with something behind a gateway, and the short words of tests for its credentials."""

from __future__ import annotations

from typing import Any

from caracal_grpc.authority.exchange.case import Issued
from caracal_grpc.authority.upstreams.release import Released, ReleaseRequest
from caracal_grpc.authority.zones.editing import Edited
from caracal_grpc.authority.zones.edits import Changed
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.upstream import CredentialKind, DeclaredUpstream, UpstreamCredential
from tests.support.rig import Rig
from tests.support.shop import shop

CRM = "resource://crm"
TENANTS = "resource://tenants/*"
TENANT = "resource://tenants/t-17"
SECRET = "hunter2-and-so-on"


def crm_shop(**changes: Any) -> dict[str, Any]:
    """The shop with a gateway, what is behind it, and an agent that may use that."""
    zone = shop(**changes)
    zone["applications"].append({"name": "gateway"})
    zone["resources"] += [
        {"name": CRM, "scopes": ["crm:read"]},
        {"name": TENANTS, "scopes": ["tenants:read"]},
    ]
    zone["policy"]["grants"] += [
        {"application": "agent", "resource": CRM, "scopes": ["crm:read"]},
        {"application": "agent", "resource": TENANTS, "scopes": ["tenants:read"]},
        {
            "application": "orders",
            "resource": CRM,
            "scopes": ["crm:read"],
            "subjects": ["agent"],
        },
    ]
    return zone


def wanted(
    name: str = "crm",
    kind: CredentialKind = "bearer",
    label: str = "",
    secret: str = SECRET,
    resource: str = CRM,
) -> DeclaredUpstream:
    """A credential as its owner declares it."""
    return DeclaredUpstream(name, resource, kind, label, secret)


class Desk:
    """Calls of the operator, and of the gateway of the shop."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.authority = rig.authority

    @property
    def operator(self) -> Mandate:
        """Who keeps credentials."""
        assert self.rig.operator is not None
        return self.rig.operator

    async def make(self, **fields: Any) -> Changed[UpstreamCredential]:
        """Makes the credential of `wanted(**fields)`."""
        declared = wanted(**fields)
        kind = self.authority.upstreams.kind
        return await self.authority.edits.create(self.operator, "shop", kind, declared)

    async def change(self, etag: str = "", **fields: Any) -> Changed[UpstreamCredential]:
        """Makes it what `wanted(**fields)` says."""
        declared = wanted(**fields)
        kind = self.authority.upstreams.kind
        return await self.authority.edits.update(
            self.operator, "shop", kind, declared.name, etag, lambda _: declared
        )

    async def remove(self, name: str = "crm", etag: str = "") -> Edited:
        """Removes it."""
        kind = self.authority.upstreams.kind
        return await self.authority.edits.delete(self.operator, "shop", kind, name, etag)

    async def shown(self, resource: str = CRM) -> Issued:
        """A mandate that the gateway was shown."""
        return await self.rig.exchange("agent", resource)

    async def release(
        self, token: str, upstream: str = "crm", by: str = "gateway", zone: str = "shop"
    ) -> Released:
        """What the gateway is answered."""
        caller = await self.rig.caller(by)
        return await self.authority.upstreams.releasing.release(
            caller, ReleaseRequest(zone, upstream, token)
        )
