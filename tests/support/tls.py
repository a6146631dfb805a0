"""Certificates on disk for servers and clients of the authority."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.support.etcd_tls import CertificateAuthority


@dataclass(frozen=True)
class TlsFiles:
    """The files of one key pair, and of the authority that signed it."""

    ca: Path
    certificate: Path
    key: Path


def write_tls(folder: Path, ca: CertificateAuthority, name: str) -> TlsFiles:
    """A key pair for `name` on loopback, signed by `ca`, in files of the right modes."""
    certificate, key = ca.issue(name, ("localhost", "127.0.0.1"))
    files = TlsFiles(folder / "ca.pem", folder / f"{name}.pem", folder / f"{name}.key")
    files.ca.write_bytes(ca.pem)
    files.certificate.write_bytes(certificate)
    files.key.touch(mode=0o600)
    files.key.write_bytes(key)
    return files
