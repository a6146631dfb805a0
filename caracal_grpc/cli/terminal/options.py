"""Values of options: times, lives and ceilings as people write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from caracal_grpc.cli.errors import usage

MAX_LIFE: Final = 315_576_000_000
"""Seconds: more is no `google.protobuf.Duration`. The authority has narrower bounds of its own."""

_AGO: Final = re.compile(r"([0-9]{1,6})([smhd])")
_ACCOUNT: Final = ("issuer", "namespace", "service_account")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def moment(option: str, text: str) -> datetime:
    """A time in UTC: ISO 8601, or as long ago as `90s`, `15m`, `2h` or `7d` say."""
    ago = _AGO.fullmatch(text)
    try:
        if ago:
            return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        parsed = datetime.fromisoformat(text)
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise usage(f"{option} must be a time such as 2026-01-31T12:00:00Z, or 15m ago") from exc


def life(option: str, text: str) -> int:
    """Whole seconds, as `90s`, `15m`, `2h` or `7d` say them, or a plain number."""
    said = _AGO.fullmatch(text if not text.isdecimal() else f"{text[:6]}s")
    if said is None or (text.isdecimal() and len(text) > 6):
        raise usage(f"{option} must be a life such as 90s, 15m, 2h or 7d")
    return int(timedelta(**{_UNITS[said[2]]: int(said[1])}).total_seconds())


def ceiling_part(text: str) -> tuple[str, list[str]]:
    """One part of a ceiling, `RESOURCE=SCOPE,SCOPE`: the resource and its scopes."""
    resource, equals, scopes = text.partition("=")
    named = [each for each in scopes.split(",") if each]
    if not (resource and equals and named):
        raise usage("--ceiling must be RESOURCE=SCOPE,SCOPE such as resource://payments=pay:charge")
    return resource, named


def service_account(text: str) -> dict[str, str]:
    """A service account of Kubernetes, `ISSUER/NAMESPACE/ACCOUNT`, by the names of its fields."""
    parts = text.split("/")
    if len(parts) != len(_ACCOUNT) or not all(parts):
        raise usage("--kubernetes must be ISSUER/NAMESPACE/ACCOUNT such as cluster/shop/orders")
    return dict(zip(_ACCOUNT, parts, strict=True))
