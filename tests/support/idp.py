"""An identity provider on loopback: discovery, keys that rotate, and ID tokens of its users."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import time
from typing import Any

from tests.support.foreign import ForeignSigner, jwks
from tests.support.web import Answer, WebServer

CONFIGURATION = "/.well-known/openid-configuration"
KEYS = "/keys"
AUDIENCE = "caracal"


@dataclass
class IdentityProvider:
    """Signs with the last of `signers`; `now` is its clock."""

    web: WebServer
    now: Callable[[], float] = time
    signers: list[ForeignSigner] = field(default_factory=lambda: [ForeignSigner.generate()])

    @property
    def issuer(self) -> str:
        """Its issuer URL."""
        return self.web.url

    @property
    def fetches(self) -> int:
        """How often its keys were fetched."""
        return self.web.count(KEYS)

    def declared(self, **changes: Any) -> dict[str, Any]:
        """The issuer as a zone declares it, but for its name there."""
        return {"issuer": self.issuer, "audience": AUDIENCE} | changes

    def publish(self) -> None:
        """Shows the keys that it has now."""
        document = {"issuer": self.issuer, "jwks_uri": f"{self.web.url}{KEYS}"}
        self.web.answers[CONFIGURATION] = Answer(json.dumps(document).encode())
        self.web.answers[KEYS] = Answer(jwks(*self.signers))

    def rotate(self, kid: str = "k2", *, keep: bool = False) -> None:
        """Signs with a new key from now on; the others go unless they are kept."""
        new = ForeignSigner.generate(self.signers[-1].algorithm, kid, number=1)
        self.signers = [*(self.signers if keep else ()), new]
        self.publish()

    def claims(self, subject: str = "alice", **changes: Any) -> dict[str, Any]:
        """What an ID token of a user says; `None` takes a claim away."""
        now = int(self.now())
        plain = {"iss": self.issuer, "aud": AUDIENCE, "sub": subject, "iat": now, "exp": now + 300}
        return {name: value for name, value in (plain | changes).items() if value is not None}

    def id_token(self, subject: str = "alice", **changes: Any) -> str:
        """An ID token of a user."""
        return self.signers[-1].token(self.claims(subject, **changes))


@asynccontextmanager
async def identity_provider(
    now: Callable[[], float] = time, signer: ForeignSigner | None = None, **web: Any
) -> AsyncIterator[IdentityProvider]:
    """One that runs; `web` are fields of its server."""
    server = WebServer(**web)
    await server.start()
    provider = IdentityProvider(server, now, [signer or ForeignSigner.generate()])
    provider.publish()
    try:
        yield provider
    finally:
        await server.stop()
