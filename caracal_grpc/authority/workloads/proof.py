"""What a client shows to authenticate: one thing of the kinds that there are."""

from __future__ import annotations

from dataclasses import dataclass, field

from caracal_grpc.core.peer import Peer


@dataclass(frozen=True, slots=True)
class Proof:
    """What a client shows: a `secret`, an `assertion`, or neither, and so its peer's certificate.

    `None` is for what is not shown; an empty text is a wrong secret, or a malformed assertion.
    `peer` is the other end of its connection as this process knows it, never as the client says.
    `token_url` is the exact URL of the token endpoint that it called, empty for a caller over gRPC:
    an assertion of the client's own key may be for that one instead of for the zone's issuer.
    """

    secret: str | None = field(default=None, repr=False)
    assertion: str | None = field(default=None, repr=False)
    peer: Peer = field(default_factory=Peer)
    token_url: str = ""
