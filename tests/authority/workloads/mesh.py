"""A zone whose applications authenticate by what they are, and everybody who says so."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from caracal_grpc.authority.exchange.case import ExchangeRequest, Issued
from caracal_grpc.authority.exchange.clients import Client
from caracal_grpc.authority.workloads.proof import Proof
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.peer import Peer
from caracal_grpc.core.reason import Reason
from tests.support.foreign import ForeignSigner, jwks
from tests.support.refusals import Refused, refused
from tests.support.rig import Rig
from tests.support.shop import ORDERS, shop

ZONE_ISSUER = "https://a.example/zones/shop"
CLUSTER = "https://kubernetes.example"
DOMAIN = "spiffe://mesh.example"
WEB = f"{DOMAIN}/ns/shop/sa/web"
THUMBPRINT = "A" * 43
NAMED: dict[str, dict[str, Any]] = {
    "web": {"identities": [{"spiffe_id": WEB}]},
    "any": {"identities": [{"spiffe_id": f"{DOMAIN}/ns/*/sa/worker"}]},
    "pod": {
        "identities": [
            {"kubernetes": {"issuer": "cluster", "namespace": "shop", "service_account": "pod"}}
        ]
    },
    "named": {"identities": [{"dns_name": "named.shop.example"}]},
    "printed": {"identities": [{"certificate_thumbprint": THUMBPRINT}]},
}


def _signer(algorithm: str, kid: str, number: int = 0) -> ForeignSigner:
    return ForeignSigner.generate(algorithm, kid, number)


@dataclass
class Mesh:
    """The zone, the keys of its trust domain and of its cluster, and those of `signer` itself."""

    rig: Rig
    domain: ForeignSigner = field(default_factory=lambda: _signer("ES256", "svid"))
    cluster: ForeignSigner = field(default_factory=lambda: _signer("RS256", "cluster"))
    own: ForeignSigner = field(default_factory=lambda: _signer("ES256", "own"))
    other: ForeignSigner = field(default_factory=lambda: _signer("ES256", "other"))

    def zone(self, name: str = "shop", **changes: Any) -> dict[str, Any]:
        """The shop with applications that are what they are, and `signer` with its own key."""
        declared = shop(name=name)
        declared["applications"] += [
            *({"name": each, **what} for each, what in NAMED.items()),
            {"name": "signer", "jwks": keys(self.own)},
            {"name": "stranger", "jwks": keys(self.other)},
        ]
        declared["policy"]["grants"] += [
            {"application": each, "resource": ORDERS, "scopes": ["orders:place"]}
            for each in (*NAMED, "signer", "stranger")
        ]
        declared["workload_issuers"] = [
            {"name": "mesh", "issuer": DOMAIN, "jwks": keys(self.domain)},
            {"name": "cluster", "issuer": CLUSTER, "jwks": keys(self.cluster)},
        ]
        return declared | changes

    def application(self, name: str, zone: str = "shop") -> str:
        """The id of an application."""
        return next(each.id for each in self.rig.state.applications(zone) if each.name == name)

    async def authenticate(self, name: str, zone: str = "shop", **shown: Any) -> Client:
        """Authenticates as `name` by what is shown, fields of a `Proof`."""
        proof = Proof(**shown)
        return await self.rig.authority.clients.authenticate(
            zone, self.application(name, zone), proof
        )

    async def exchange(self, name: str, zone: str = "shop", **shown: Any) -> Issued:
        """A mandate to place orders, by what is shown: fields of an `ExchangeRequest`."""
        asked = {
            "secret": None,
            "resource": ORDERS,
            "scopes": frozenset({"orders:place"}),
            **shown,
        }
        request = ExchangeRequest(zone, self.application(name, zone), **asked)
        return await self.rig.authority.exchange.issue(request)

    async def cause(self, name: str, **shown: Any) -> str:
        """Why who shows this does not authenticate as `name`, as the ledger has it.

        The refusal tells nothing of it, and neither has what was shown.
        """
        with refused(Reason.CLIENT_AUTH_FAILED) as seen:
            await self.exchange(name, **shown)
        entry = await self.rig.last()
        require_silent(seen)
        assert (entry.decision, entry.reason) == ("deny", "CLIENT_AUTH_FAILED")
        assert seen.metadata["audit_id"] == entry.id
        signature = (shown.get("assertion") or "").rpartition(".")[2]
        assert len(signature) < 9 or signature not in repr(entry)
        return str(entry.details.get("proof_cause", ""))

    def own_claims(
        self, name: str = "signer", zone: str = "shop", **changes: Any
    ) -> dict[str, Any]:
        """What an assertion of the application's own key says; `None` takes a claim away."""
        now, own = int(self.rig.clock.now()), self.application(name, zone)
        plain = {"iss": own, "sub": own, "aud": ZONE_ISSUER, "jti": "j-1", "iat": now}
        return kept(plain | {"exp": now + 60} | changes)

    def own_assertion(self, name: str = "signer", **changes: Any) -> str:
        """An assertion of the application's own key."""
        return self.own.token(self.own_claims(name, **changes))

    def svid_claims(self, subject: str = WEB, **changes: Any) -> dict[str, Any]:
        """What a JWT-SVID says."""
        now = int(self.rig.clock.now())
        plain = {"sub": subject, "aud": [ZONE_ISSUER], "iat": now, "exp": now + 300}
        return kept(plain | changes)

    def svid(self, subject: str = WEB, **changes: Any) -> str:
        """A JWT-SVID of the trust domain."""
        return self.domain.token(self.svid_claims(subject, **changes))

    def account_claims(
        self, name: str = "pod", namespace: str = "shop", **changes: Any
    ) -> dict[str, Any]:
        """What a projected token of a service account says."""
        now = int(self.rig.clock.now())
        plain = {
            "iss": CLUSTER,
            "sub": f"system:serviceaccount:{namespace}:{name}",
            "aud": [ZONE_ISSUER],
            "iat": now,
            "nbf": now,
            "exp": now + 3600,
            "jti": "0b5f",
            "kubernetes.io": {
                "namespace": namespace,
                "node": {"name": "n1", "uid": "u1"},
                "pod": {"name": "pod-7", "uid": "u2"},
                "serviceaccount": {"name": name, "uid": "u3"},
            },
        }
        return kept(plain | changes)

    def account(self, name: str = "pod", namespace: str = "shop", **changes: Any) -> str:
        """A projected token of a service account; they have no `typ`."""
        return self.cluster.token(self.account_claims(name, namespace, **changes), typ=None)


def keys(*signers: ForeignSigner) -> str:
    """The public keys of signers, as they are declared."""
    return jwks(*signers).decode()


def bundle(signer: ForeignSigner, root: ForeignSigner | None = None) -> str:
    """The bundle of a trust domain, in which there is a root of certificates, too."""
    root = root or _signer("ES256", "root")
    held = [root.jwk | {"use": "x509-svid", "x5c": ["MIIB"]}, signer.jwk | {"use": "jwt-svid"}]
    return json.dumps({"keys": held, "spiffe_sequence": 7, "spiffe_refresh_hint": 300})


def kept(claims: dict[str, Any]) -> dict[str, Any]:
    """Claims without those that are `None`."""
    return {name: value for name, value in claims.items() if value is not None}


def certificate(**facts: Any) -> dict[str, Any]:
    """What a connection shows that has a certificate with these `facts`, fields of a `Peer`."""
    return {"peer": Peer("ipv4:10.0.0.7:4711", **facts)}


def require_silent(seen: Refused) -> None:
    """Returns when a refusal tells no more than every other one of its kind."""
    error: CaracalError = seen.error
    assert error.message == (
        "the application is unknown or disabled, or its proof is wrong; check the profile"
    )
    assert set(error.metadata) <= {"audit_id"}
    assert error.violations == ()
