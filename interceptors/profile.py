"""What a process needs to reach its authority and to say who it is: a JSON file, mode 0600."""

from __future__ import annotations

import json
import os
import ssl
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.crypto.secret_file import read_secret_bytes, write_secret_file
from caracal_grpc.crypto.strict_json import read_object
from caracal_grpc.interceptors.profile_home import locate_profile
from caracal_grpc.interceptors.target import Target

PROFILE_VARIABLE: Final = "CARACAL_PROFILE"
"""The environment variable with the profile of a service: its file, or the name it is stored by."""

_REQUIRED: Final = ("zone", "issuer", "application_id")
_PROOFS: Final = ("client_secret", "client_assertion_file", "client_key_file")
_TLS: Final = ("ca_file", "ca", "cert_file", "key_file", "server_name")
_FILES: Final = ("ca_file", "cert_file", "key_file", *_PROOFS[1:])
_MAX_PEM: Final = 1 << 20
_PEM_CONTROLS: Final = "\t\r\n"
_UNSENT: Final = ("Cc", "Cs")


@dataclass(frozen=True, slots=True)
class Profile:
    """One application's tie to its authority.

    `authority` is `host:port`, or a gRPC target for several replicas: `dns:///host:port`, or
    `ipv4:` or `ipv6:` with the address of each, between commas; one of them is used while it
    answers, then another. The connection is TLS, checked against `ca_file` or `ca` (PEM text;
    neither: the roots that gRPC comes with), as `server_name` when the host is not the name in the
    certificate, and mutual with `cert_file` and `key_file`, which nobody but its owner may read.
    `plaintext` is for a loopback authority only. A setting that is wrong or unsafe raises
    `FIELD_INVALID` naming it.

    The application proves what it is by `client_secret`; by the token in `client_assertion_file`,
    which somebody else renews (a JWT-SVID, a projected token of Kubernetes); by assertions that it
    signs itself with the key in `client_key_file` (a private JWK, or PEM), which nobody but its
    owner may read; or, with none of these, by its client certificate alone.
    """

    authority: str
    zone: str
    issuer: str
    application_id: str
    client_secret: str = field(default="", repr=False)
    application_name: str = ""
    ca_file: str | None = None
    ca: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    server_name: str | None = None
    plaintext: bool = False
    client_assertion_file: str | None = None
    client_key_file: str | None = None

    def __post_init__(self) -> None:
        _require_types(self)
        for name in _REQUIRED:
            if not getattr(self, name):
                raise field_invalid(name, "must not be empty")
        _require_proof(self)
        _require_transport(self, Target.of(self.authority))

    @classmethod
    def of(cls, source: Profile | str | os.PathLike[str] | None) -> Profile:
        """The profile that `source` is, or is the path of, or that the environment names."""
        if source is None:
            return cls.from_environment()
        return source if isinstance(source, Profile) else cls.load(source)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Profile:
        """The profile in the file at `path`; its files are relative to its folder.

        Raises `FIELD_INVALID` naming the file or the setting: when others than the owner may read
        the file, when it is no JSON object, or has a key that is unknown.
        """
        name = os.fspath(path)
        try:
            values = read_object(read_secret_bytes(name))
        except ValueError as exc:
            raise field_invalid(name, "must hold one JSON object in utf-8") from exc
        folder = Path(name).parent
        for key in _FILES:
            if isinstance(values.get(key), str):
                values[key] = str(folder / values[key])
        return cls._of(name, values)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Profile:
        """The profile that `CARACAL_PROFILE` names; raises `FIELD_INVALID` as `load`.

        It is the path of a file, or the name of a stored profile; see `profile_home`.
        `environment` is that of the process unless given.
        """
        path = (os.environ if environment is None else environment).get(PROFILE_VARIABLE, "")
        if not path:
            raise field_invalid(PROFILE_VARIABLE, "must name the profile file of this service")
        return cls.load(locate_profile(path, environment))

    @classmethod
    def _of(cls, name: str, values: dict[str, Any]) -> Profile:
        known = {entry.name for entry in fields(cls)}
        unknown = sorted(values.keys() - known)
        if unknown:
            raise field_invalid(f"{name}: {unknown[0]}", f"unknown; the keys are {sorted(known)}")
        missing = sorted({"authority", *_REQUIRED} - values.keys())
        if missing:
            raise field_invalid(f"{name}: {missing[0]}", "is missing")
        try:
            return cls(**values)
        except CaracalError as error:
            violation = error.violations[0]
            raise field_invalid(f"{name}: {violation.field}", violation.description) from error

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the profile to `path` with mode 0600, in one step; raises `FIELD_INVALID`."""
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        kept = {key: value for key, value in values.items() if value not in (None, "", False)}
        write_secret_file(path, json.dumps(kept, indent=2) + "\n")

    def root_certificates(self) -> bytes | None:
        """The PEM of the trusted roots; `None` for those of gRPC. Raises `FIELD_INVALID`."""
        if self.ca:
            return self.ca.encode()
        return None if self.ca_file is None else _read_pem("ca_file", self.ca_file)

    def client_certificate(self) -> tuple[bytes, bytes] | None:
        """The PEM of certificate and key for mutual TLS, if any.

        Raises `FIELD_INVALID` naming the file: when others than the owner may read the key, or it
        is not the key of the certificate.
        """
        if self.cert_file is None or self.key_file is None:
            return None
        certificate = _read_pem("cert_file", self.cert_file)
        key = _read_key(self.key_file)
        _require_pair(self.cert_file, self.key_file)
        return certificate, key


def _require_types(profile: Profile) -> None:
    for entry in fields(profile):
        value = getattr(profile, entry.name)
        if entry.name == "plaintext":
            if not isinstance(value, bool):
                raise field_invalid("plaintext", "must be true or false")
        elif not (isinstance(value, str) or (value is None and entry.default is None)):
            raise field_invalid(entry.name, "must be a string")
        elif value is not None:
            _require_text(entry.name, value)


def _require_text(name: str, value: str) -> None:
    """No half of a character, which cannot be sent, and no control character but PEM's own."""
    allowed = _PEM_CONTROLS if name == "ca" else ""
    if any(char not in allowed and unicodedata.category(char) in _UNSENT for char in value):
        raise field_invalid(name, "must hold no control characters or lone surrogates")


def _require_proof(profile: Profile) -> None:
    given = [name for name in _PROOFS if getattr(profile, name)]
    if len(given) > 1:
        raise field_invalid(given[1], f"cannot go with {given[0]}; remove one")
    if not given and not profile.cert_file:
        raise field_invalid(
            "client_secret",
            "is missing; without client_assertion_file, client_key_file, and cert_file of a "
            "client certificate, nothing says who this is",
        )


def _require_transport(profile: Profile, target: Target) -> None:
    given = [name for name in _TLS if getattr(profile, name)]
    if profile.plaintext and given:
        raise field_invalid("plaintext", f"cannot go with {given[0]}; remove one")
    if profile.plaintext and not target.is_loopback:
        raise field_invalid(
            "plaintext", "is for an authority on loopback only; remove it to use TLS"
        )
    if not profile.plaintext and not profile.server_name and len(target.hosts) > 1:
        raise field_invalid(
            "server_name", "is needed: several addresses have no name; give the certificates' one"
        )
    if profile.ca and profile.ca_file:
        raise field_invalid("ca", "cannot go with ca_file; remove one")
    if bool(profile.cert_file) != bool(profile.key_file):
        missing = "key_file" if profile.cert_file else "cert_file"
        raise field_invalid(missing, "must be set too; a client certificate needs both")


def _read_key(path: str) -> bytes:
    try:
        return read_secret_bytes(path)
    except CaracalError as error:
        violation = error.violations[0]
        text = f"{violation.field} {violation.description}"
        raise field_invalid("key_file", text) from error


def _require_pair(certificate: str, key: str) -> None:
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_cert_chain(certificate, key, password=lambda: "")
    except (OSError, ValueError) as error:
        problem = f"must hold the plain key of {certificate} in PEM, which must hold a certificate"
        raise field_invalid("key_file", f"{key} {problem}") from error


def _read_pem(name: str, path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            content = file.read(_MAX_PEM)
    except (OSError, ValueError) as exc:
        raise field_invalid(name, f"{path} cannot be read; check the path and its owner") from exc
    if b"-----BEGIN" not in content:
        raise field_invalid(name, f"{path} must hold PEM")
    return content
