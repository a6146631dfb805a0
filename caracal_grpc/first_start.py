"""The very first start: the operator is made, and its secret, shown once, does not get lost."""

from __future__ import annotations

import logging

from caracal_grpc.authority.authority import Authority
from caracal_grpc.authority.bootstrap import bootstrap, needs_bootstrap
from caracal_grpc.authority.keyring import Keyring
from caracal_grpc.authority.state import State
from caracal_grpc.config import ServeSettings
from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.limits import AUTHORITY_ZONE
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.secret_file import write_secret_file
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.ledger.port import Ledger

_log = logging.getLogger("caracal.server")


def require_matching_kek(keyring: Keyring, state: State) -> None:
    """Raises `FIELD_INVALID` for a key-encryption key that does not open what is sealed."""
    if needs_bootstrap(state):
        return
    try:
        keyring.ledger_key(AUTHORITY_ZONE)
    except CaracalError as error:
        raise field_invalid("kek_file", error.message) from error


async def require_possible(settings: ServeSettings, state: State, ledger: Ledger) -> None:
    """Tries out all that a first start needs, before anything is made.

    Raises `FIELD_INVALID` naming `bootstrap_profile`, `advertise` or `ledger`.
    """
    target = settings.bootstrap_profile
    if not needs_bootstrap(state):
        return
    if target is None:
        raise field_invalid(
            "bootstrap_profile", "is needed on the first start, for the operator's profile"
        )
    if (await ledger.search(AUTHORITY_ZONE, page_size=1)).entries:
        raise field_invalid("ledger", "is of another authority, since etcd is empty; use a new one")
    try:
        _profile(settings, settings.advertise or settings.listen.replace(":0", ":1"), "-", "-")
    except CaracalError as error:
        raise field_invalid("advertise", error.violations[0].description) from error
    probe = target.with_name(f".{target.name}.probe")
    try:
        write_secret_file(probe, "\n")
    except CaracalError as error:
        raise field_invalid("bootstrap_profile", f"{target} cannot be written") from error
    probe.unlink(missing_ok=True)


async def make_operator(settings: ServeSettings, authority: Authority, address: str) -> None:
    """Makes the authority's own zone and writes the operator's profile, unless it is there."""
    target = settings.bootstrap_profile
    if target is None or not needs_bootstrap(authority.state):
        return
    try:
        credential = await bootstrap(authority.zones)
    except CaracalError as error:
        if error.reason is not Reason.CONFLICT:
            raise
        _log.info("another replica was first and has the operator's profile")
        return
    reachable = settings.advertise or address
    _profile(settings, reachable, credential.application.id, credential.secret).save(target)
    _log.info("first start: the operator's profile is in %s", target)


def _profile(settings: ServeSettings, address: str, application: str, secret: str) -> Profile:
    ca = settings.tls_ca_file
    return Profile(
        authority=address,
        zone=AUTHORITY_ZONE,
        issuer=f"{settings.public_url.rstrip('/')}/zones/{AUTHORITY_ZONE}",
        application_id=application,
        client_secret=secret,
        application_name="operator",
        ca_file=str(ca.absolute()) if ca else None,
        plaintext=not settings.tls,
    )
