"""The settings of a running authority, checked as a whole: an unsafe one refuses to start."""

from __future__ import annotations

import ipaddress
import re
import ssl
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field

from caracal_grpc.core.errors import field_invalid
from caracal_grpc.core.limits import DEFAULT_MAX_STALENESS, MAX_STALENESS
from caracal_grpc.crypto.secret_file import read_secret_file
from caracal_grpc.outbound.egress import LOOPBACK, Network
from caracal_grpc.settings.addresses import is_loopback, is_network
from caracal_grpc.settings.checked import Problems
from caracal_grpc.settings.etcd import EtcdPart
from caracal_grpc.settings.files import named, read_certificates, read_secret
from caracal_grpc.settings.kek import KekPart
from caracal_grpc.settings.policy import PolicyPart

_LISTEN: Final = re.compile(r".+:\d{1,5}")


class ServeSettings(EtcdPart, KekPart, PolicyPart):
    """What `serve` runs with; use `load`, which names the setting that is wrong."""

    listen: str = Field("127.0.0.1:7420", description="host:port to listen on; port 0 picks one")
    public_url: str = Field(
        description="the URL that issuers begin with, such as https://a.example"
    )
    advertise: str = Field(
        "",
        description="host:port, or a gRPC target of every replica, that clients use; default: "
        "listen, unless that is every address",
    )

    tls_cert_file: Path | None = Field(None, description="the server's certificate chain, PEM")
    tls_key_file: Path | None = Field(None, description="its private key, PEM, mode 0600")
    tls_ca_file: Path | None = Field(None, description="the CA that clients verify us with, PEM")
    tls_client_ca_file: Path | None = Field(
        None, description="require client certificates of this CA, PEM"
    )

    ledger: Path = Field(description="the SQLite file of the ledger")
    bootstrap_profile: Path | None = Field(
        None, description="a new file for the operator's profile, for the very first start"
    )

    egress_allow: list[str] = Field(
        [],
        description="networks such as 10.1.0.0/16 that issuers and webhooks may be in, besides the "
        "internet; default: none",
    )
    egress_ca_file: Path | None = Field(
        None, description="CAs of issuers and webhooks besides those of the system, PEM"
    )

    max_staleness: Annotated[float, Field(ge=2, le=MAX_STALENESS)] = Field(
        DEFAULT_MAX_STALENESS, description="seconds without etcd after which decisions stop"
    )
    drain_seconds: Annotated[float, Field(ge=0, le=300)] = Field(
        10.0, description="seconds that accepted calls get to finish on SIGTERM"
    )
    reflection: bool = Field(default=True, description="serve gRPC reflection")
    telemetry: bool = Field(default=False, description="OpenTelemetry spans for every call")

    def problems(self) -> Problems:
        """What no single field shows."""
        problems = super().problems()
        if not _LISTEN.fullmatch(self.listen):
            problems.append(("listen", "must be host:port"))
        if not self.tls and not is_loopback(self.listen):
            problems.append(("tls_cert_file", "is needed, since listen is not a loopback address"))
        if (self.tls_cert_file is None) != (self.tls_key_file is None):
            problems.append(("tls_key_file", "and tls_cert_file go together"))
        if self.tls_client_ca_file and not self.tls:
            problems.append(("tls_client_ca_file", "needs tls_cert_file"))
        if not self.public_url.startswith(("https://", "http://")):
            problems.append(("public_url", "must be an http or https URL"))
        strange = [network for network in self.egress_allow if not is_network(network)]
        if strange:
            text = f"{strange[0]} is not a network such as 10.1.0.0/16"
            problems.append(("egress_allow", text))
        return problems

    @property
    def tls(self) -> bool:
        """Whether the server speaks TLS."""
        return self.tls_cert_file is not None

    def key_pair(self) -> tuple[bytes, bytes]:
        """The private key and certificate chain of the server, read; raises `FIELD_INVALID`."""
        certificate = read_certificates("tls_cert_file", self.tls_cert_file)
        if certificate is None or self.tls_cert_file is None or self.tls_key_file is None:
            raise field_invalid("tls_cert_file", "and tls_key_file are needed for TLS")
        key = named("tls_key_file", read_secret_file, self.tls_key_file)
        _require_pair(self.tls_cert_file, self.tls_key_file)
        return key.encode(), certificate

    def egress_networks(self) -> tuple[Network, ...]:
        """The networks of `egress_allow`."""
        return tuple(ipaddress.ip_network(network) for network in self.egress_allow)

    def opa_networks(self) -> tuple[Network, ...]:
        """Those that the OPA server may be in: this machine, too, when its URL says so."""
        return (*self.egress_networks(), *(LOOPBACK if self.opa_on_loopback else ()))

    def opa_token(self) -> str:
        """The bearer token for the OPA server, empty without one; raises `FIELD_INVALID`."""
        return read_secret("opa_token_file", self.opa_token_file) or ""


def _require_pair(certificate: Path, key: Path) -> None:
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key, password=lambda: "")
    except ssl.SSLError as error:
        mismatch = error.reason == "KEY_VALUES_MISMATCH"
        problem = f"is not the key of {certificate}" if mismatch else "holds no plain key in PEM"
        raise field_invalid("tls_key_file", f"{key} {problem}") from error
