"""Mutual TLS whose files may change while it is served, as those of SPIFFE do every hour."""

from __future__ import annotations

import logging
import threading
from typing import Any, Final

import grpc

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.settings.files import read_certificates, read_pair
from caracal_grpc.settings.mesh import Tls

_log: Final = logging.getLogger("caracal.mesh")

_Stamp = tuple[tuple[int, int, int], ...]


class Certificates:
    """What a server shows and verifies by. Files that changed and cannot be used are logged, and
    what was good before stays in use.
    """

    def __init__(self, tls: Tls) -> None:
        """Raises `FIELD_INVALID` naming the file that cannot be used."""
        self._tls = tls
        self._lock = threading.Lock()
        self._seen: _Stamp = ()
        self._first = self._read()

    def credentials(self) -> grpc.ServerCredentials:
        """The credentials of a server that lets in nobody without a certificate."""
        changed: Any = self._changed  # for gRPC, not for its types, nothing is no change
        return grpc.dynamic_ssl_server_credentials(
            self._first, changed, require_client_authentication=True
        )

    def _changed(self) -> grpc.ServerCertificateConfiguration | None:
        """What is new since the handshake before; gRPC asks at each, on threads of its own."""
        with self._lock:
            try:
                stamp = self._stamp()
                if stamp == self._seen:
                    return None
                self._seen = stamp
                return self._read()
            except (CaracalError, OSError) as error:
                _log.error("the files of tls are not used as they are now: %s", error)
                return None

    def _stamp(self) -> _Stamp:
        tls = self._tls
        return tuple(
            (found.st_mtime_ns, found.st_ino, found.st_size)
            for found in (each.stat() for each in (tls.cert_file, tls.key_file, tls.client_ca_file))
        )

    def _read(self) -> grpc.ServerCertificateConfiguration:
        tls = self._tls
        pair = read_pair("tls.cert_file", tls.cert_file, "tls.key_file", tls.key_file)
        ca = read_certificates("tls.client_ca_file", tls.client_ca_file)
        return grpc.ssl_server_certificate_configuration([pair], ca)
