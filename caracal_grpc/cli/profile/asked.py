"""A profile made of what somebody types; the issuer is what the authority says."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from caracal_grpc.cli.context import Target
from caracal_grpc.cli.errors import CliError, ExitCode, usage
from caracal_grpc.cli.terminal.questions import Question, answers
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ids import APPLICATION, require_id, require_slug

if TYPE_CHECKING:
    from caracal_grpc.interceptors.profile import Profile

_NONE: Final = "none"
_STDIN: Final = "-"
_UNKNOWN: Final = "unknown"
_TYPED: Final = Path("typed here")
_MAX_SECRET: Final = 4_096


@dataclass(frozen=True, slots=True)
class Typed:
    """What options say; `secret_file` is the file of the secret, or `-` for stdin.

    `proof` are the settings of a profile that has no secret, and their files.
    """

    authority: str | None = None
    zone: str | None = None
    application: str | None = None
    ca_file: str | None = None
    server_name: str | None = None
    plaintext: bool = False
    secret_file: str | None = None
    proof: Mapping[str, str] = field(default_factory=dict)


def ask_profile(typed: Typed) -> Profile:
    """The profile that the options and the answers make; raises `CliError`."""
    from caracal_grpc.cli.profile.identity import issuer_of

    given = {
        "authority": typed.authority,
        "zone": typed.zone,
        "application": typed.application,
        "ca_file": _NONE if typed.plaintext else typed.ca_file,
        "secret": None if typed.secret_file is None else _secret(typed.secret_file),
    }
    unasked = {"secret"} if typed.proof and given["secret"] is None else set()
    asked = {name: each for name, each in _QUESTIONS.items() if name not in unasked}
    profile = _profile(answers(asked, given), typed)
    issuer = issuer_of(Target(profile, profile.zone, _TYPED))
    return replace(profile, issuer=issuer)


def _profile(answered: Mapping[str, str], typed: Typed) -> Profile:
    from caracal_grpc.interceptors.client.authentication import client_authentication
    from caracal_grpc.interceptors.profile import Profile

    ca_file = answered["ca_file"]
    plaintext = ca_file == _NONE
    values: dict[str, Any] = {
        "authority": answered["authority"],
        "zone": answered["zone"],
        "issuer": _UNKNOWN,
        "application_id": answered["application"],
        "client_secret": answered.get("secret", ""),
        "ca_file": str(Path(ca_file).absolute()) if ca_file and not plaintext else None,
        "server_name": typed.server_name,
        "plaintext": plaintext,
        **{setting: str(Path(file).absolute()) for setting, file in typed.proof.items()},
    }
    try:
        profile = Profile(**values)
        profile.root_certificates()
        profile.client_certificate()
        client_authentication(profile)
    except CaracalError as error:
        option = _OPTIONS.get(error.violations[0].field, error.violations[0].field)
        raise usage(f"{option} {error.violations[0].description}") from error
    return profile


def _secret(path: str) -> str:
    from caracal_grpc.crypto.secret_file import read_secret_file

    if path == _STDIN:
        return sys.stdin.read(_MAX_SECRET).strip()
    try:
        return read_secret_file(path)
    except CaracalError as error:
        raise CliError(ExitCode.CREDENTIAL, f"--secret-file {error.message}") from error


def _authority(text: str) -> str:
    from caracal_grpc.interceptors.target import Target as Address

    return Address.of(text).text


_QUESTIONS: Final = {
    "authority": Question("--authority", "address of the authority, host:port", read=_authority),
    "zone": Question("--zone", "zone", read=lambda text: require_slug("zone", text)),
    "application": Question(
        "--application",
        "id of the application, app_…",
        read=lambda text: require_id("application", text, APPLICATION),
    ),
    "ca_file": Question(
        "--ca-file",
        "file with the CA of its certificate (empty: public ones; none: no TLS, loopback only)",
        optional=True,
    ),
    "secret": Question("--secret-file", "secret (it is not shown)", hidden=True),
}
_OPTIONS: Final = {
    "authority": "--authority",
    "ca_file": "--ca-file",
    "plaintext": "--plaintext",
    "server_name": "--server-name",
    "client_secret": "the secret",
    "client_assertion_file": "--assertion-file",
    "client_key_file": "--client-key-file",
    "cert_file": "--cert-file",
    "key_file": "--key-file",
}
