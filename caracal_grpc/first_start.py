"""The very first start: the operator is made, and its secret, shown once, does not get lost."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from caracal_grpc.authority.authority import Authority
from caracal_grpc.authority.keys.keyring import Keyring
from caracal_grpc.authority.state.state import State
from caracal_grpc.authority.zones.bootstrap import bootstrap, needs_bootstrap
from caracal_grpc.authority.zones.change import Credential
from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.limits import AUTHORITY_ZONE
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.secret_file import write_secret_file
from caracal_grpc.crypto.system import secret_matches
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.ledger.port import Ledger
from caracal_grpc.settings.addresses import is_wildcard
from caracal_grpc.settings.files import read_certificates
from caracal_grpc.settings.serve import ServeSettings

_log = logging.getLogger("caracal.server")

_PATIENCE: Final = 3.0
"""Seconds after which a first start that another process began counts as given up."""


def require_matching_kek(keyring: Keyring, state: State, setting: str) -> None:
    """Raises `FIELD_INVALID` naming `setting`, the source of the key-encryption key, unless it, or
    one before it, opens what is sealed.
    """
    if state.find_zone(AUTHORITY_ZONE) is None:
        return
    try:
        keyring.ledger_key(AUTHORITY_ZONE)
    except CaracalError as error:
        raise field_invalid(setting, error.message) from error


async def require_possible(
    settings: ServeSettings, state: State, ledger: Ledger, is_made: Callable[[], Awaitable[bool]]
) -> None:
    """Tries out all that a first start needs, before anything is made.

    `is_made` asks the store itself, since another replica may be ahead of what `state` shows.
    Raises `FIELD_INVALID` naming `bootstrap_profile`, `advertise` or `ledger`.
    """
    target = settings.bootstrap_profile
    if not needs_bootstrap(state):
        return
    if target is None:
        raise field_invalid(
            "bootstrap_profile", "is needed on the first start, for the operator's profile"
        )
    taken = _exists(target)
    if not await is_made():
        if (await ledger.search(AUTHORITY_ZONE, page_size=1)).entries:
            raise field_invalid(
                "ledger",
                "is of another authority, since etcd has nothing under etcd_prefix; check that, or "
                "use a new ledger",
            )
        if taken:
            raise _taken(target)
    _require_reachable(settings)
    probe = target.with_name(f".{target.name}.probe")
    try:
        write_secret_file(probe, "\n")
    except CaracalError as error:
        raise field_invalid("bootstrap_profile", f"{target} cannot be written") from error
    probe.unlink(missing_ok=True)


def _require_reachable(settings: ServeSettings) -> None:
    """Refuses what would make a profile that nobody can use."""
    read_certificates("tls_ca_file", settings.tls_ca_file)
    if not settings.advertise and is_wildcard(settings.listen):
        raise field_invalid(
            "advertise", "is needed, since nobody can call the address that listen names"
        )
    try:
        _profile(settings, settings.advertise or settings.listen.replace(":0", ":1"), "-", "-")
    except CaracalError as error:
        raise field_invalid("advertise", error.violations[0].description) from error


async def make_operator(settings: ServeSettings, authority: Authority, address: str) -> None:
    """Makes the authority's own zone and writes the operator's profile, unless that is done.

    What an earlier start left undone is done now; a replica that is at it is waited for.
    """
    target, state = settings.bootstrap_profile, authority.state
    if state.find_zone(AUTHORITY_ZONE) is not None:
        await _another_replica(state)
    if target is None or not needs_bootstrap(state):
        return
    if _is_operators(target, state):
        await authority.zones.finish(AUTHORITY_ZONE)
        return
    if _exists(target):
        raise _taken(target)

    def save(made: Credential) -> None:
        reachable = settings.advertise or address
        _save(_profile(settings, reachable, made.application.id, made.secret), target)

    try:
        await bootstrap(authority.zones, save)
    except CaracalError as error:
        if error.reason is not Reason.CONFLICT:
            raise
        _log.info("another replica was first and has the operator's profile")
        return
    _log.info("first start: the operator's profile is in %s", target)


async def _another_replica(state: State) -> None:
    """Returns when no start is unended, or when the one that is has had its time."""
    moved = asyncio.Event()
    cancel = state.subscribe(lambda *_: moved.set())
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            while needs_bootstrap(state):
                moved.clear()
                await moved.wait()
    cancel()


def _save(profile: Profile, target: Path) -> None:
    """Writes the profile in one step; raises `FIELD_INVALID` rather than replace a file."""
    fresh = target.with_name(f".{target.name}.{profile.application_id}")
    try:
        profile.save(fresh)
        target.hardlink_to(fresh)
    except FileExistsError as error:
        raise _taken(target) from error
    except OSError as error:
        raise field_invalid("bootstrap_profile", f"{target} cannot be written") from error
    finally:
        fresh.unlink(missing_ok=True)


def _exists(target: Path) -> bool:
    return target.exists() or target.is_symlink()


def _is_operators(target: Path, state: State) -> bool:
    """Whether the file holds the secret of the operator: all that is left to do is to say so."""
    try:
        profile = Profile.load(target)
    except CaracalError:
        return False
    operator = state.application(AUTHORITY_ZONE, profile.application_id)
    digests = [each.digest for each in operator.credentials] if operator else []
    return secret_matches(profile.client_secret, digests)


def _taken(target: Path) -> CaracalError:
    return field_invalid("bootstrap_profile", f"{target} exists and is not replaced; move it away")


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
