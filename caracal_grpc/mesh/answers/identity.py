"""Who calls, as the upstream is told: headers that only we set, on what a verdict let through."""

from __future__ import annotations

import json
from typing import Final
from urllib.parse import quote

from caracal_grpc.core.mandate import Mandate, to_claims
from caracal_grpc.crypto import base64url

APPLICATION: Final = "x-caracal-application"
SUBJECT: Final = "x-caracal-subject"
SCOPES: Final = "x-caracal-scopes"
RESOURCE: Final = "x-caracal-resource"
MANDATE_ID: Final = "x-caracal-mandate-id"
CHAIN: Final = "x-caracal-chain"
DECISION_ID: Final = "x-caracal-decision-id"

NAMES: Final = frozenset({APPLICATION, SUBJECT, SCOPES, RESOURCE, MANDATE_ID, CHAIN, DECISION_ID})
"""Every name that an upstream may take for ours, set or not; what a caller sends is removed."""

_SAFE: Final = "!#$&'()*+,/:;=?@[]^`{|}~"


def identity(mandate: Mandate) -> tuple[tuple[str, str], ...]:
    """The headers that say who calls by `mandate`; percent-encoded where they are not ASCII.

    The chain is base64url of the JSON of `delegation_chain`, root first; absent when nobody stands
    between the subject and the caller.
    """
    told = [
        (APPLICATION, mandate.application),
        (SUBJECT, quote(mandate.subject, safe=_SAFE)),
        (SCOPES, " ".join(sorted(mandate.scopes))),
        (RESOURCE, mandate.resource),
        (MANDATE_ID, mandate.jti),
    ]
    if mandate.chain:
        hops = json.dumps(to_claims(mandate)["delegation_chain"], separators=(",", ":"))
        told.append((CHAIN, base64url.encode(hops.encode())))
    return tuple(told)
