"""Files that settings name, read; what is wrong with one is told by the name of its setting."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from caracal_grpc.core.errors import CaracalError, FieldViolation, field_invalid
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.secret_file import read_secret_file

T = TypeVar("T")


def named(setting: str, read: Callable[[Path], T], path: Path) -> T:
    """What `read` makes of `path`; raises `FIELD_INVALID` naming `setting` before the path."""
    try:
        return read(path)
    except CaracalError as error:
        violation = error.violations[0]
        raise field_invalid(setting, f"{violation.field} {violation.description}") from error


def read_secret(setting: str, path: Path | None) -> str | None:
    """The secret in a file, `None` without a path; raises `FIELD_INVALID` naming `setting`."""
    return named(setting, read_secret_file, path) if path else None


def read_file(setting: str, path: Path | None) -> bytes | None:
    """The bytes of a file, `None` without a path; raises `FIELD_INVALID` naming `setting`."""
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        violation = FieldViolation(setting, f"{path} cannot be read: {error.strerror}")
        text = f"{violation.field}: {violation.description}"
        raise CaracalError(Reason.FIELD_INVALID, text, violations=(violation,)) from error


def read_certificates(setting: str, path: Path | None) -> bytes | None:
    """The certificates in a PEM file, `None` without a path; raises `FIELD_INVALID`."""
    content = read_file(setting, path)
    if content is not None:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(path)
        except ssl.SSLError as error:
            raise field_invalid(setting, f"{path} holds no certificate in PEM") from error
    return content


def read_pair(
    certificate_setting: str, certificate: Path, key_setting: str, key: Path
) -> tuple[bytes, bytes]:
    """A private key and the certificate chain that it is of; raises `FIELD_INVALID`."""
    chain = read_certificates(certificate_setting, certificate) or b""
    secret = named(key_setting, read_secret_file, key)
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key, password=lambda: "")
    except ssl.SSLError as error:
        mismatch = error.reason == "KEY_VALUES_MISMATCH"
        problem = f"is not the key of {certificate}" if mismatch else "holds no plain key in PEM"
        raise field_invalid(key_setting, f"{key} {problem}") from error
    return secret.encode(), chain
