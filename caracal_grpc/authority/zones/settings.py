"""From what a declaration says of a zone itself to the zone."""

from __future__ import annotations

from caracal_grpc.authority.zones.declaration import Declaration
from caracal_grpc.core import limits
from caracal_grpc.core.zone import ChainVisibility, Zone


def new_zone(declared: Declaration, issuer: str, present: Zone | None, now: float) -> Zone:
    """The zone that a declaration describes, its defaults filled in, after the `present` one."""
    settings = declared.settings
    return Zone(
        name=declared.name,
        issuer=issuer,
        default_ttl=settings.default_ttl or limits.DEFAULT_TTL,
        max_hops=settings.max_hops or limits.DEFAULT_MAX_HOPS,
        key_publish=settings.key_publish or limits.DEFAULT_KEY_PUBLISH,
        chain_visibility=settings.chain_visibility,
        hidden_until=_hidden_until(settings.chain_visibility, present, now),
    )


def _hidden_until(wanted: ChainVisibility, present: Zone | None, now: float) -> int:
    """Until when mandates may be alive that hid what the zone now shows."""
    if present is None or wanted != "full":
        return 0
    if present.chain_visibility != "full":
        return int(now) + limits.REVOCATION_TTL
    return present.hidden_until
