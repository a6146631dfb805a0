"""How a process proves to the authority which application it is, anew for each request.

Files are read again when they change, so that a token that somebody renews, or a key that takes
another's place, is shown from the next exchange on.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final, TypeAlias

from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.limits import MAX_FOREIGN_TOKEN
from caracal_grpc.crypto.assertion_key import AssertionKey
from caracal_grpc.crypto.secret_file import read_secret_bytes
from caracal_grpc.crypto.system import SystemClock, new_secret
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.v1 import token_service_pb2

ASSERTION_LIFE: Final = 60
"""Seconds for which an assertion of one's own key is good; it is shown at once, and counts once."""

_CLOCK: Final = SystemClock()

Stamp: TypeAlias = tuple[int, int, int]
"""What changes with a file: that it is another one, when it was written, how long it is."""


def client_authentication(profile: Profile) -> token_service_pb2.ClientAuthentication:
    """What `profile` shows now: another assertion each time, of a key of its own.

    With a client certificate alone it is nothing but who it is: the connection shows the rest.
    Raises `FIELD_INVALID`, naming the setting and the file, when a file cannot be used.
    """
    shown = token_service_pb2.ClientAuthentication(application_id=profile.application_id)
    if profile.client_secret:
        shown.client_secret = profile.client_secret
    elif profile.client_assertion_file:
        path = profile.client_assertion_file
        shown.client_assertion = _assertion(path, _stamp("client_assertion_file", path))
    elif profile.client_key_file:
        path = profile.client_key_file
        shown.client_assertion = _signed(profile, _key(path, _stamp("client_key_file", path)))
    return shown


def _signed(profile: Profile, key: AssertionKey) -> str:
    """RFC 7523 section 3; for the zone's issuer, and for nobody else."""
    now = int(_CLOCK.now())
    return key.token(
        {
            "iss": profile.application_id,
            "sub": profile.application_id,
            "aud": profile.issuer,
            "jti": new_secret(),
            "iat": now,
            "exp": now + ASSERTION_LIFE,
        }
    )


def _stamp(setting: str, path: str) -> Stamp:
    try:
        found = Path(path).stat()
    except (OSError, ValueError) as exc:
        raise _unreadable(setting, path) from exc
    return found.st_ino, found.st_mtime_ns, found.st_size


@lru_cache(maxsize=16)
def _assertion(path: str, _: Stamp) -> str:
    """The token in the file; who may read that is for whoever writes it, such as the kubelet."""
    try:
        with Path(path).open("rb") as file:
            raw = file.read(MAX_FOREIGN_TOKEN + 2)
    except (OSError, ValueError) as exc:
        raise _unreadable("client_assertion_file", path) from exc
    text = raw.decode("ascii", "replace").strip()
    if not 0 < len(text) <= MAX_FOREIGN_TOKEN or not text.isascii() or text.count(".") != 2:
        raise field_invalid("client_assertion_file", f"{path} must hold one signed JWT")
    return text


@lru_cache(maxsize=16)
def _key(path: str, _: Stamp) -> AssertionKey:
    """The key in the file, which nobody but its owner may read."""
    try:
        return AssertionKey.read(read_secret_bytes(path))
    except CaracalError as error:
        violation = error.violations[0]
        text = f"{violation.field} {violation.description}"
        raise field_invalid("client_key_file", text) from error
    except ValueError as exc:
        text = "must hold a private JWK or an unencrypted key in PEM, of P-256, Ed25519 or RSA"
        raise field_invalid("client_key_file", f"{path} {text}") from exc


def _unreadable(setting: str, path: str) -> CaracalError:
    return field_invalid(setting, f"{path} cannot be read; check the path and its owner")
