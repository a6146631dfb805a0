"""What is wrong with the issuers of all kinds, and the webhooks, of a declaration."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from urllib.parse import urlsplit

from caracal_grpc.authority.zones.change import Named
from caracal_grpc.authority.zones.declaration import Declaration
from caracal_grpc.authority.zones.rest import Rest
from caracal_grpc.authority.zones.violations import at_most, tried, unique
from caracal_grpc.core import limits
from caracal_grpc.core.errors import FieldViolation
from caracal_grpc.core.ids import require_slug
from caracal_grpc.core.issuer import ALGORITHMS, TrustedIssuer
from caracal_grpc.core.spiffe import is_trust_domain
from caracal_grpc.crypto.foreign_keys import ForeignKeys

_MAX_URL = 2_048
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def trust_violations(
    declared: Declaration, kept: Rest, zone_issuer: str
) -> Iterable[FieldViolation]:
    """Every violation, each with its path, beside what is `kept` of the zone."""
    clusters = partial(workload_issuer_violations, zone_issuer=zone_issuer)
    for path, named, others, violations in (
        ("issuers", declared.issuers, kept.issuers, issuer_violations),
        ("proof_systems", declared.proof_systems, kept.proof_systems, issuer_violations),
        ("workload_issuers", declared.workload_issuers, kept.workload_issuers, clusters),
    ):
        yield from _named(path, named, others, limits.MAX_ISSUERS)
        yield from unique(f"{path}.issuer", (each.issuer for each in (*named, *others)))
        for index, issuer in enumerate(named):
            yield from violations(f"{path}[{index}]", issuer)
    yield from _named("webhooks", declared.webhooks, kept.webhooks, limits.MAX_WEBHOOKS)
    for index, webhook in enumerate(declared.webhooks):
        yield from _url(f"webhooks[{index}].url", webhook.url)


def _named(
    path: str, declared: Sequence[Named], kept: Sequence[Named], most: int
) -> Iterable[FieldViolation]:
    yield from at_most(path, len(declared) + len(kept), most)
    yield from unique(path, (each.name for each in declared))
    for index, each in enumerate(declared):
        yield from tried(require_slug, f"{path}[{index}].name", each.name)


def issuer_violations(path: str, issuer: TrustedIssuer) -> Iterable[FieldViolation]:
    """What is wrong with one issuer or proof system by itself, its name aside."""
    yield from _url(f"{path}.issuer", issuer.issuer)
    if not 0 < len(issuer.audience) <= limits.MAX_CONTEXT_VALUE:
        yield FieldViolation(
            f"{path}.audience", f"must be 1 to {limits.MAX_CONTEXT_VALUE} characters"
        )
    yield from _token_violations(path, issuer)


def workload_issuer_violations(
    path: str, issuer: TrustedIssuer, *, zone_issuer: str
) -> Iterable[FieldViolation]:
    """What is wrong with one workload issuer by itself, its name aside.

    Its tokens prove who calls this authority, and count only when they were made for it.
    """
    if issuer.is_trust_domain:
        if not is_trust_domain(issuer.issuer):
            text = "must be spiffe:// and a trust domain in lower case, without a path"
            yield FieldViolation(f"{path}.issuer", text)
        if not (issuer.jwks or issuer.jwks_uri):
            text = "must be set, or jwks_uri: a trust domain has no discovery"
            yield FieldViolation(f"{path}.jwks", text)
    else:
        yield from _url(f"{path}.issuer", issuer.issuer)
    if issuer.audience not in {"", zone_issuer}:
        text = f"must be {zone_issuer}, the zone's issuer URL, or empty for that"
        yield FieldViolation(f"{path}.audience", text)
    yield from _token_violations(path, issuer)


def _token_violations(path: str, issuer: TrustedIssuer) -> Iterable[FieldViolation]:
    """What is wrong with how its tokens are verified."""
    if issuer.jwks_uri and issuer.jwks:
        yield FieldViolation(f"{path}.jwks", "must be left out when jwks_uri is set")
    if issuer.jwks_uri:
        yield from _url(f"{path}.jwks_uri", issuer.jwks_uri)
    if issuer.jwks and not _has_keys(issuer.jwks):
        text = f"must be a JWK set of at most {limits.MAX_JWKS_BYTES} bytes with a key that signs"
        yield FieldViolation(f"{path}.jwks", text)
    for algorithm in issuer.algorithms:
        if algorithm not in ALGORITHMS:
            yield FieldViolation(f"{path}.algorithms", f"must be among {', '.join(ALGORITHMS)}")
    if not 1 <= issuer.max_age <= limits.MAX_TOKEN_AGE:
        yield FieldViolation(
            f"{path}.max_age_seconds", f"must be 1 to {limits.MAX_TOKEN_AGE}, or 0 for the default"
        )


def _has_keys(jwks: str) -> bool:
    try:
        return bool(ForeignKeys.from_jwks(jwks.encode()).keys)
    except (ValueError, RecursionError):
        return False


def _url(path: str, value: str) -> Iterable[FieldViolation]:
    """Plain http is for loopback only, where tests and local identity providers are."""
    text = f"must be an https URL of at most {_MAX_URL} characters, without credentials"
    try:
        url = urlsplit(value)
        host, _ = url.hostname or "", url.port
    except ValueError:
        yield FieldViolation(path, text)
        return
    plain = url.scheme == "http" and host in _LOOPBACK
    fits = len(value) <= _MAX_URL and value.isascii() and value.isprintable() and " " not in value
    if not (fits and host and (url.scheme == "https" or plain)) or url.username or url.fragment:
        yield FieldViolation(path, text)
