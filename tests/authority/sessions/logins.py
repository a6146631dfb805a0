"""Two identity providers that a zone trusts, and their users who log in to the agent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from caracal_grpc.core.reason import Reason
from caracal_grpc.core.session import Session
from tests.authority.sessions.desk import start
from tests.support.idp import IdentityProvider
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import ORDERS, PAYMENTS, shop


@dataclass
class Login:
    """A zone that trusts two identity providers, and the replica that knows it."""

    rig: Rig
    corp: IdentityProvider
    partner: IdentityProvider

    async def start(self, token: str, name: str = "agent", **asked: Any) -> Session:
        """A session of the application for the user of the token."""
        return await start(self.rig, name, id_token=token, **asked)

    async def refused(self, token: str) -> str:
        """Why there is none: the cause of the SUBJECT_TOKEN_INVALID."""
        with refused(Reason.SUBJECT_TOKEN_INVALID) as seen:
            await self.start(token)
        if token:
            assert token not in str(seen.error)
        return seen.metadata["cause"]


GRANTS: list[dict[str, Any]] = [
    {"application": "agent", "resource": ORDERS, "scopes": ["orders:place"], "users": [user]}
    for user in ("corp/*", "partner/bob")
] + [
    {
        "application": "orders",
        "resource": PAYMENTS,
        "scopes": ["payments:charge"],
        "users": ["corp/alice"],
    }
]


def zone(**issuers: dict[str, Any]) -> dict[str, Any]:
    """The shop with these issuers: there the agent places orders for some of their users."""
    declared = shop(issuers=[{"name": name, **issuer} for name, issuer in issuers.items()])
    named = [grant for grant in GRANTS if grant["users"][0].partition("/")[0] in issuers]
    declared["policy"]["grants"].extend(named)
    return declared
