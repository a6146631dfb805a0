"""Certificates on disk for servers and clients of the authority."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from tests.support.etcd_tls import DAY, CertificateAuthority


@dataclass(frozen=True)
class TlsFiles:
    """The files of one key pair, and of the authority that signed it."""

    ca: Path
    certificate: Path
    key: Path


def write_tls(
    folder: Path,
    ca: CertificateAuthority,
    name: str,
    *,
    names: tuple[str, ...] = ("localhost", "127.0.0.1"),
    ends: timedelta = DAY,
) -> TlsFiles:
    """A key pair for `name`, signed by `ca`, good for `names` until `ends` from now, in files of
    the right modes.
    """
    certificate, key = ca.issue(name, names, ends=ends)
    files = TlsFiles(folder / "ca.pem", folder / f"{name}.pem", folder / f"{name}.key")
    files.ca.write_bytes(ca.pem)
    _write(files.certificate, certificate, files.key, key)
    return files


def write_pair(
    folder: Path, certificate: bytes, key: bytes, name: str = "client"
) -> dict[str, str]:
    """The settings of a profile that shows this certificate, its files in `folder`."""
    shown = folder / f"{name}.cert.pem", folder / f"{name}.key.pem"
    _write(shown[0], certificate, shown[1], key)
    return {"cert_file": str(shown[0]), "key_file": str(shown[1])}


def _write(certificate_file: Path, certificate: bytes, key_file: Path, key: bytes) -> None:
    certificate_file.write_bytes(certificate)
    key_file.touch(mode=0o600)
    key_file.write_bytes(key)
