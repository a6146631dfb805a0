"""Client authentication: which application is calling, proven."""

from __future__ import annotations

from caracal_grpc.authority.state.state import State
from caracal_grpc.core.application import Application
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.system import secret_matches


def authenticate(state: State, zone: str, application: str, secret: str, now: float) -> Application:
    """The application that `secret` belongs to at `now`; raises `CLIENT_AUTH_FAILED`.

    Within a zone, an unknown application, a wrong secret, one that expired and a disabled
    application read and cost the same, so that none can be told from another. An unknown zone has
    no ledger, so that its refusal names no entry: that a zone exists is public, as its keys are.
    """
    found = state.application(zone, application) if state.find_zone(zone) else None
    living = found.living(now) if found else ()
    matches = secret_matches(secret, [each.digest for each in living])
    if found is None or not matches or found.disabled or found.id in state.dead(zone):
        raise CaracalError(
            Reason.CLIENT_AUTH_FAILED,
            "the application is unknown or disabled, or its secret is wrong; check the profile",
        )
    return found
