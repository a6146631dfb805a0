"""Generated questions, in the shape in which exchanges ask them, of few names: they match often."""

from __future__ import annotations

import base64
import json
from typing import Any, Final

from hypothesis import strategies as st

from caracal_grpc.core.ids import family_of

CHARGE, REFUND, FEED = "payments:charge", "payments:refund", "caracal:feed:watch"
NAMES: Final = ("shop", "web", "ann")

_SCOPES: Final = st.lists(st.sampled_from([CHARGE, REFUND, FEED]), max_size=3, unique=True)
_RESOURCES: Final = st.sampled_from(
    ["resource://payments", "resource://payments/p-1", "resource://orders", "resource://caracal"]
)
_LABELS: Final = st.lists(st.sampled_from(["a", "b", "night"]), max_size=2, unique=True)
_NOTES: Final = st.one_of(
    st.sampled_from(["", "no", "stop here", "<ann> a x", "  A b ", "<x", "xyz"]),
    st.text(
        st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="\\"), max_size=20
    ),
)
_AMOUNTS: Final = st.sampled_from(["0", "7", "42", "99.5", "100", "1000", "-1", "much"])
_TICKETS: Final = st.one_of(
    st.builds(
        lambda name, scopes: json.dumps({"for": name, "scopes": scopes}),
        st.sampled_from([*NAMES, 5]),
        _SCOPES,
    ),
    st.sampled_from(["[]", "{", "null", ""]),
).map(lambda text: base64.b64encode(text.encode()).decode())


@st.composite
def _hops(draw: st.DrawFn) -> list[dict[str, Any]]:
    names = draw(st.lists(st.sampled_from(NAMES), max_size=3))
    return [
        {
            "application_id": f"app_{name}",
            "name": name,
            "session_id": f"ses_{number}",
            "delegation_id": draw(st.sampled_from([None, f"del_{number}"])),
        }
        for number, name in enumerate(names)
    ]


@st.composite
def _subjects(draw: st.DrawFn) -> dict[str, Any]:
    name = draw(st.sampled_from(NAMES))
    if draw(st.booleans()):
        return {"id": f"app_{name}", "name": name, "type": "application"}
    issuer = draw(st.sampled_from(["corp", "idp"]))
    user = {"id": f"usr_{name}", "type": "user", "name": f"{issuer}/{name}"}
    return {**user, "issuer": issuer, "subject": name}


@st.composite
def _resources(draw: st.DrawFn) -> dict[str, Any]:
    name = draw(_RESOURCES)
    acting = st.fixed_dictionaries(
        {"actor": st.sampled_from(NAMES), "subjects": st.lists(st.sampled_from(NAMES), max_size=2)}
    )
    family = family_of(name)
    return {
        "name": name,
        "scopes": draw(_SCOPES),
        "may_act": draw(st.lists(acting, max_size=2)),
        **({"family": family} if family else {}),
    }


PEER: Final = {
    "address": "ipv4:10.0.0.1:5000",
    "method": "jwt_svid",
    "spiffe_id": "spiffe://mesh.example/ns/shop/sa/web",
    "dns_names": ["web.shop.example"],
    "thumbprint": "",
    "kubernetes": None,
}


@st.composite
def questions(draw: st.DrawFn) -> dict[str, Any]:
    """One question."""
    name = draw(st.sampled_from(NAMES))
    principal = {"id": f"app_{name}", "name": name}
    context = st.fixed_dictionaries(
        {}, optional={"note": _NOTES, "amount": _AMOUNTS, "ticket": _TICKETS}
    )
    lineage = draw(_hops())
    return {
        "zone": "acme",
        "principal": {**principal, "labels": draw(_LABELS)},
        "subject": draw(_subjects()),
        "resource": draw(_resources()),
        "requested_scopes": draw(_SCOPES),
        "session": {"id": "ses_9", "root": "ses_1", "labels": draw(_LABELS), "delegation": None},
        "lineage": lineage,
        "actor": principal if lineage else None,
        "peer": draw(st.sampled_from([None, PEER])),
        "context": draw(context),
        "now": draw(st.integers(1_700_000_000, 1_900_000_000)),
    }
