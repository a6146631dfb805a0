"""Input documents as the authority builds them."""

from __future__ import annotations

from typing import Any

PAYMENTS = "resource://payments"
CHARGE, REFUND = "payments:charge", "payments:refund"


def document(**changes: Any) -> dict[str, Any]:
    """A request of the application `shop` for itself; `changes` replace members."""
    base: dict[str, Any] = {
        "zone": "acme",
        "principal": {"id": "app_shop", "name": "shop", "labels": []},
        "subject": {"id": "app_shop", "name": "shop", "type": "application"},
        "resource": {"name": PAYMENTS, "scopes": [CHARGE, REFUND]},
        "requested_scopes": [CHARGE],
        "session": {"id": "ses_1", "root": "ses_1", "labels": []},
        "lineage": [{"application_id": "app_shop", "name": "shop", "session_id": "ses_1"}],
        "actor": None,
        "peer": None,
        "context": {},
        "now": 1_790_000_000,
    }
    return {**base, **changes}


def on_behalf_of(name: str, kind: str = "application") -> dict[str, Any]:
    """The members that change when `shop` acts for another subject."""
    return {
        "subject": {"id": f"id_{name}", "name": name, "type": kind},
        "actor": {"id": "app_shop", "name": "shop"},
    }


def grant(**changes: Any) -> dict[str, Any]:
    """A grant of both scopes to `shop`; `changes` replace members."""
    return {
        "application": "shop",
        "resource": PAYMENTS,
        "scopes": [CHARGE, REFUND],
        **changes,
    }
