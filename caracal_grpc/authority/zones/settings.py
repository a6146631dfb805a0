"""From what a declaration says of a zone itself to the zone."""

from __future__ import annotations

import math
from dataclasses import replace

from caracal_grpc.authority.zones.declaration import Declaration, Settings
from caracal_grpc.core import limits
from caracal_grpc.core.zone import ChainVisibility, Zone


def new_zone(declared: Declaration, issuer: str, present: Zone | None, now: float) -> Zone:
    """The zone that a declaration describes, after the `present` one, whose settings stay when it
    declares none.
    """
    if declared.settings is None:
        return replace(present, issuer=issuer) if present else Zone(declared.name, issuer)
    return with_settings(declared.settings, present or Zone(declared.name, issuer), issuer, now)


def with_settings(settings: Settings, present: Zone, issuer: str, now: float) -> Zone:
    """The zone with these settings, defaults filled in."""
    application_rate = settings.application_rate or limits.DEFAULT_APPLICATION_RATE
    zone_rate = settings.zone_rate or limits.DEFAULT_ZONE_RATE
    return Zone(
        name=present.name,
        issuer=issuer,
        default_ttl=settings.default_ttl or limits.DEFAULT_TTL,
        max_hops=settings.max_hops or limits.DEFAULT_MAX_HOPS,
        key_publish=settings.key_publish or limits.DEFAULT_KEY_PUBLISH,
        chain_visibility=settings.chain_visibility,
        hidden_until=_hidden_until(settings.chain_visibility, present, now),
        frozen=present.frozen,
        jwks_max_age=settings.jwks_max_age,
        copied_until=_copied_until(settings.jwks_max_age, present, now),
        key_rotate=settings.key_rotate or limits.DEFAULT_KEY_ROTATE,
        application_rate=application_rate,
        application_burst=settings.application_burst or 2 * application_rate,
        zone_rate=zone_rate,
        zone_burst=settings.zone_burst or 2 * zone_rate,
        record_context=settings.record_context,
        retention_days=settings.retention_days,
    )


def _hidden_until(wanted: ChainVisibility, present: Zone, now: float) -> int:
    """Until when mandates may be alive that hid what the zone now shows."""
    if wanted != "full":
        return 0
    if present.chain_visibility != "full":
        return int(now) + limits.REVOCATION_TTL
    return present.hidden_until


def _copied_until(wanted: int, present: Zone, now: float) -> int:
    """Until when copies of the key set may be kept for longer than the zone now lets them."""
    if wanted >= present.jwks_max_age:
        return present.copied_until
    return max(present.copied_until, math.ceil(now) + present.jwks_max_age)
