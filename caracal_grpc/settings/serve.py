"""The settings of a running authority, checked as a whole: an unsafe one refuses to start."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field

from caracal_grpc.core.errors import field_invalid
from caracal_grpc.core.limits import DEFAULT_MAX_STALENESS, MAX_STALENESS
from caracal_grpc.core.spiffe import is_spiffe_id
from caracal_grpc.core.workload import is_thumbprint
from caracal_grpc.ledger.notes.cosignature import WitnessKey
from caracal_grpc.ledger.notes.note import NoteError
from caracal_grpc.outbound.egress import LOOPBACK, Network
from caracal_grpc.settings.addresses import MAX_PORT, is_loopback, is_network, port_of
from caracal_grpc.settings.checked import Problems
from caracal_grpc.settings.etcd import EtcdPart
from caracal_grpc.settings.files import read_pair, read_secret
from caracal_grpc.settings.kek import KekPart
from caracal_grpc.settings.ledger import LedgerPart
from caracal_grpc.settings.policy import PolicyPart

_LISTEN: Final = re.compile(r".+:\d{1,5}")


class ServeSettings(EtcdPart, KekPart, LedgerPart, PolicyPart):
    """What `serve` runs with; use `load`, which names the setting that is wrong."""

    listen: str = Field("127.0.0.1:7420", description="host:port to listen on; port 0 picks one")
    http_listen: str = Field(
        "",
        description="host:port of the HTTP port: key sets, OAuth endpoints, health; TLS when the "
        "server has it, else loopback only; default: none",
    )
    http_metrics: bool = Field(
        default=False,
        description="show /metrics on the HTTP port: names of zones and counts, to whoever reaches "
        "the port",
    )
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
        None,
        description="require client certificates of this CA, PEM; the HTTP port takes them and "
        "requires none",
    )
    trusted_proxies: list[str] = Field(
        [],
        description="SPIFFE ids or x5t#S256 thumbprints of proxies that vouch for their callers in "
        "x-forwarded-client-cert; default: none",
    )

    bootstrap_profile: Path | None = Field(
        None, description="a new file for the operator's profile, for the very first start"
    )

    witnesses: list[str] = Field(
        [],
        description="verifier keys, name+hash+key, of the witnesses that may cosign checkpoints; "
        "caracal-grpc audit witness prints its own; default: none",
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
        problems += self._wrong_proxies()
        problems += self._wrong_http()
        problems += self._wrong_witnesses()
        if not self.public_url.startswith(("https://", "http://")):
            problems.append(("public_url", "must be an http or https URL"))
        strange = [network for network in self.egress_allow if not is_network(network)]
        if strange:
            text = f"{strange[0]} is not a network such as 10.1.0.0/16"
            problems.append(("egress_allow", text))
        return problems

    def _wrong_proxies(self) -> Problems:
        """What is wrong with the proxies, who prove what they are by a certificate."""
        known = (is_spiffe_id(each) or is_thumbprint(each) for each in self.trusted_proxies)
        if not all(known):
            return [("trusted_proxies", "must be SPIFFE ids of workloads or x5t#S256 thumbprints")]
        if self.trusted_proxies and not self.tls_client_ca_file:
            return [("trusted_proxies", "needs tls_client_ca_file, to know the proxies by")]
        return []

    def _wrong_http(self) -> Problems:
        """What is wrong with the HTTP port: tokens and secrets come over it, too."""
        if not self.http_listen:
            return [("http_metrics", "needs http_listen")] if self.http_metrics else []
        if not _LISTEN.fullmatch(self.http_listen) or port_of(self.http_listen) > MAX_PORT:
            return [("http_listen", f"must be host:port, and the port at most {MAX_PORT}")]
        if self.http_listen == self.listen and not self.listen.endswith(":0"):
            return [("http_listen", "must be another port than listen")]
        if not self.tls and not is_loopback(self.http_listen):
            return [("http_listen", "must be a loopback address, or needs tls_cert_file")]
        return []

    def _wrong_witnesses(self) -> Problems:
        """What is wrong with the keys of witnesses."""
        try:
            self.witness_keys()
        except NoteError as error:
            return [("witnesses", str(error))]
        return []

    @property
    def tls(self) -> bool:
        """Whether the server speaks TLS."""
        return self.tls_cert_file is not None

    def key_pair(self) -> tuple[bytes, bytes]:
        """The private key and certificate chain of the server, read; raises `FIELD_INVALID`."""
        if self.tls_cert_file is None or self.tls_key_file is None:
            raise field_invalid("tls_cert_file", "and tls_key_file are needed for TLS")
        return read_pair("tls_cert_file", self.tls_cert_file, "tls_key_file", self.tls_key_file)

    def witness_keys(self) -> tuple[WitnessKey, ...]:
        """The keys of `witnesses`, each once; raises `NoteError`."""
        return tuple({str(key): key for key in map(WitnessKey.parse, self.witnesses)}.values())

    def egress_networks(self) -> tuple[Network, ...]:
        """The networks of `egress_allow`."""
        return tuple(ipaddress.ip_network(network) for network in self.egress_allow)

    def opa_networks(self) -> tuple[Network, ...]:
        """Those that the OPA server may be in: this machine, too, when its URL says so."""
        return (*self.egress_networks(), *(LOOPBACK if self.opa_on_loopback else ()))

    def opa_token(self) -> str:
        """The bearer token for the OPA server, empty without one; raises `FIELD_INVALID`."""
        return read_secret("opa_token_file", self.opa_token_file) or ""
