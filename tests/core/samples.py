"""Good values to start from, and strategies that make any of them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from caracal_grpc.core.mandate import Hop, Mandate
from caracal_grpc.core.rule import Trust
from caracal_grpc.core.verdict import Call

NOW = 1_790_000_000
TRUST = Trust("shop", "https://a.example/zones/shop", 900, 5)
CALL = Call("resource", "resource://orders", frozenset({"orders:place"}), float(NOW))

TEXT = st.text(st.characters(codec="utf-8", categories=("L", "N", "P")), min_size=1, max_size=40)
SCOPE = st.text("abcdefgh:._/-", min_size=1, max_size=12)
HOPS = st.builds(Hop, TEXT, TEXT, st.none() | TEXT)


def mandate(**changes: Any) -> Mandate:
    """A mandate that permits `CALL`."""
    values: dict[str, Any] = {
        "issuer": TRUST.issuer,
        "zone": "shop",
        "use": "resource",
        "resource": "resource://orders",
        "scopes": frozenset({"orders:place", "orders:cancel"}),
        "subject": "app_agent",
        "subject_type": "application",
        "application": "app_agent",
        "session": "ses_agent",
        "root_session": "ses_agent",
        "jti": "mnd_1",
        "issued_at": NOW - 10,
        "expires_at": NOW + 290,
        "policy_version": "sha256:0",
        "audit_id": "aud_1",
        "kid": "key_1",
    }
    return Mandate(**(values | changes))


@st.composite
def mandates(draw: st.DrawFn) -> Mandate:
    """Any mandate that says one thing only."""
    chain = tuple(draw(st.lists(HOPS, max_size=10)))
    issued = draw(st.integers(1, 1 << 39))
    held = {"application": chain[-1].application, "session": chain[-1].session} if chain else {}
    return mandate(
        issuer=draw(TEXT),
        zone=draw(TEXT),
        use=draw(st.sampled_from(["resource", "session"])),
        resource=draw(TEXT),
        scopes=draw(st.frozensets(SCOPE, max_size=6)),
        subject=draw(TEXT),
        subject_type=draw(st.sampled_from(["application", "user"])),
        root_session=draw(TEXT),
        jti=draw(TEXT),
        issued_at=issued,
        expires_at=issued + draw(st.integers(1, 3600)),
        chain=chain,
        binding=draw(st.none() | TEXT),
        approval=draw(st.none() | TEXT),
        ancestors=tuple(draw(st.lists(TEXT, max_size=5))),
        **held,
    )
