"""A mandate like those that the authority issues, for tests that need many."""

from __future__ import annotations

import time

from caracal_grpc.core.ids import typeid
from caracal_grpc.core.mandate import Mandate


def sample_mandate(kid: str, number: int = 0) -> Mandate:
    """A live mandate for `resource://echo` with the scope `echo:say`; `number` makes its id."""
    now = int(time.time())

    def name(prefix: str, count: int = 0) -> str:
        return typeid(prefix, now * 1000, count.to_bytes(10, "big"))

    return Mandate(
        issuer="https://bench.example/zones/bench",
        zone="bench",
        use="resource",
        resource="resource://echo",
        scopes=frozenset({"echo:say"}),
        subject=name("app"),
        subject_type="application",
        application=name("app"),
        session=name("ses"),
        root_session=name("ses"),
        jti=name("mnd", number),
        issued_at=now,
        expires_at=now + 300,
        policy_version="sha256:0123456789abcdef",
        audit_id=name("aud", number),
        kid=kid,
    )
