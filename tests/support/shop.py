"""The zone that tests declare: a shop with an agent, two services and their resources."""

from __future__ import annotations

import copy
from typing import Any

from google.protobuf.json_format import ParseDict

from caracal_grpc.v1 import zone_pb2

ORDERS = "resource://orders"
PAYMENTS = "resource://payments"
STOCK = "resource://stock"
CARACAL = "resource://caracal"

_SHOP: dict[str, Any] = {
    "name": "shop",
    "applications": [
        {"name": "agent", "labels": ["batch", "night"]},
        {"name": "orders"},
        {"name": "payments"},
        {
            "name": "bounded",
            "ceiling": [{"resource": ORDERS, "scopes": ["orders:place"]}],
        },
    ],
    "resources": [
        {"name": ORDERS, "scopes": ["orders:place", "orders:cancel", "orders:track"]},
        {"name": PAYMENTS, "scopes": ["payments:charge", "payments:refund"]},
        {"name": STOCK, "scopes": ["stock:read"], "max_ttl_seconds": 60},
    ],
    "policy": {
        "grants": [
            {
                "application": "agent",
                "resource": ORDERS,
                "scopes": ["orders:place", "orders:cancel"],
            },
            {
                "application": "agent",
                "resource": STOCK,
                "scopes": ["stock:read"],
                "labels": ["night"],
            },
            {
                "application": "orders",
                "resource": PAYMENTS,
                "scopes": ["payments:charge"],
                "subjects": ["agent", "orders"],
            },
            {
                "application": "orders",
                "resource": ORDERS,
                "scopes": ["orders:place", "orders:cancel", "orders:track"],
                "subjects": ["agent"],
            },
            {
                "application": "payments",
                "resource": STOCK,
                "scopes": ["stock:read"],
                "subjects": ["*"],
            },
            {
                "application": "agent",
                "resource": PAYMENTS,
                "scopes": ["payments:refund"],
                "step_up": ["payments:refund"],
            },
            {"application": "bounded", "resource": ORDERS, "scopes": ["orders:place"]},
            {"application": "bounded", "resource": ORDERS, "scopes": ["orders:cancel"]},
        ]
    },
}


def shop(**changes: Any) -> dict[str, Any]:
    """The shop, to be changed at will; `changes` replace its members."""
    return copy.deepcopy(_SHOP) | changes


def zone_message(zone: dict[str, Any]) -> zone_pb2.Zone:
    """A declared zone as its message."""
    return ParseDict(zone, zone_pb2.Zone())


def rego(decision: str) -> dict[str, Any]:
    """A policy of one module that always gives `decision`, a Rego object."""
    source = f"package caracal.authz\n\nresult := {decision}\n"
    return {"modules": [{"name": "always.rego", "source": source}]}
