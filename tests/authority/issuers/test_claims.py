"""What a token of another issuer must say: for us, and of now."""

from __future__ import annotations

from typing import Any

import pytest

from caracal_grpc.authority.issuers.claims import require_current
from caracal_grpc.core.issuer import TrustedIssuer
from caracal_grpc.core.limits import LEEWAY
from caracal_grpc.core.reason import Reason
from tests.support.refusals import refused

NOW = 1_790_000_000
CORP = TrustedIssuer("corp", "https://corp.example", "caracal", max_age=600)
GOOD: dict[str, Any] = {"iss": CORP.issuer, "aud": "caracal", "iat": NOW, "exp": NOW + 300}
GONE = object()


def claims(**changes: Any) -> dict[str, Any]:
    """Good claims with changes; `GONE` takes one away."""
    return {name: value for name, value in (GOOD | changes).items() if value is not GONE}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"aud": ["caracal"]},
        {"nbf": NOW},
        {"iat": NOW + LEEWAY},
        {"nbf": NOW + LEEWAY, "iat": NOW - 100},
        {"iat": NOW - 600 - LEEWAY},
        {"exp": NOW + 0.5, "iat": NOW - 0.5},
        {"exp": NOW - LEEWAY + 1},
        {"exp": NOW + 10 * 365 * 86_400},
        {"nonce": "x", "azp": "caracal", "email": "alice@example.com"},
    ],
)
def test_good_token_passes(changes: dict[str, Any]) -> None:
    """Up to the leeway on each side; what is not asked for does not matter."""
    require_current(claims(**changes), CORP, NOW)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iss": "https://corp.example/"}, Reason.ISSUER_MISMATCH),
        ({"iss": "HTTPS://corp.example"}, Reason.ISSUER_MISMATCH),
        ({"iss": [CORP.issuer]}, Reason.ISSUER_MISMATCH),
        ({"iss": GONE}, Reason.ISSUER_MISMATCH),
        ({"aud": "other"}, Reason.AUDIENCE_MISMATCH),
        ({"aud": ["caracal", "other"]}, Reason.AUDIENCE_MISMATCH),
        ({"aud": ["caracal", "caracal"]}, Reason.AUDIENCE_MISMATCH),
        ({"aud": []}, Reason.AUDIENCE_MISMATCH),
        ({"aud": {"caracal": 1}}, Reason.AUDIENCE_MISMATCH),
        ({"aud": "Caracal"}, Reason.AUDIENCE_MISMATCH),
        ({"aud": GONE}, Reason.AUDIENCE_MISMATCH),
        ({"exp": NOW - LEEWAY}, Reason.MANDATE_EXPIRED),
        ({"exp": 0}, Reason.MANDATE_EXPIRED),
        ({"iat": NOW + LEEWAY + 1}, Reason.MANDATE_NOT_YET_VALID),
        ({"nbf": NOW + LEEWAY + 1}, Reason.MANDATE_NOT_YET_VALID),
        ({"iat": NOW - 600 - LEEWAY - 1}, Reason.MANDATE_LIFETIME_EXCEEDED),
        *(
            ({name: value}, Reason.MANDATE_MALFORMED)
            for name in ("exp", "iat", "nbf")
            for value in (None, "1790000000", True, [NOW], -1, 1 << 40, float("inf"))
        ),
        ({"exp": GONE}, Reason.MANDATE_MALFORMED),
        ({"iat": GONE}, Reason.MANDATE_MALFORMED),
    ],
)
def test_other_token_is_refused(changes: dict[str, Any], reason: Reason) -> None:
    """Each with its own reason."""
    with refused(reason):
        require_current(claims(**changes), CORP, NOW)
