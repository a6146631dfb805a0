"""How much one stranger may ask of the port, and for how long."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bytes and seconds; every wait for somebody else has an end.

    `connections`, those in a handshake included, are no more than half of the 1,024 files that a
    process may usually open: the rest is for gRPC, the store and the ledger, which no stranger over
    HTTP is to shut out.

    `head_seconds` is for the head of a request to come, counted from the connection or from the
    answer before it; `body_seconds` for its body; `answer_seconds` for what is done with it, and
    `request_seconds` for all of that together, after which the connection is cut.
    """

    connections: int = 500
    head_bytes: int = 16_384
    fields: int = 64
    body_bytes: int = 65_536
    handshake_seconds: float = 5.0
    head_seconds: float = 5.0
    body_seconds: float = 10.0
    answer_seconds: float = 30.0
    request_seconds: float = 45.0


BOUNDS = Bounds()
"""Those of a running authority."""
