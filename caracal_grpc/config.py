"""The settings of a running authority, checked as a whole: an unsafe one refuses to start."""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Self, TypeVar

from pydantic import ConfigDict, Field, ValidationError, model_validator

from caracal_grpc.core.errors import CaracalError, FieldViolation, field_invalid
from caracal_grpc.core.limits import DEFAULT_MAX_STALENESS, MAX_STALENESS
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.secret_file import read_secret_file
from caracal_grpc.kek_settings import KekSettings
from caracal_grpc.outbound.egress import LOOPBACK, Network
from caracal_grpc.policy_settings import PolicySettings
from caracal_grpc.store.etcd_settings import EtcdSettings

ENVIRONMENT: Final = "CARACAL_"
"""A setting `kek_file` is the variable `CARACAL_KEK_FILE`; a flag wins over the environment."""

_LISTEN: Final = re.compile(r".+:\d{1,5}")

T = TypeVar("T")


class ServeSettings(KekSettings, PolicySettings):
    """What `serve` runs with; use `load`, which names the setting that is wrong."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

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

    etcd_endpoints: list[str] = Field(min_length=1, description="host:port of each etcd member")
    etcd_prefix: str = Field("caracal", description="the prefix of every key")
    etcd_ca_file: Path | None = Field(None, description="the CA of etcd, PEM")
    etcd_cert_file: Path | None = Field(None, description="our certificate for etcd, PEM")
    etcd_key_file: Path | None = Field(None, description="its private key, PEM")
    etcd_server_name: str | None = Field(None, description="the name in etcd's certificate")
    etcd_username: str | None = Field(None, description="the etcd user")
    etcd_password_file: Path | None = Field(None, description="a file that holds its password")

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

    @classmethod
    def load(cls, values: Mapping[str, Any]) -> Self:
        """The settings in `values`; raises `FIELD_INVALID` naming each that is wrong or missing."""
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            violations = [_violation(each) for each in error.errors(include_url=False)]
            text = "; ".join(f"{each.field}: {each.description}" for each in violations)
            raise CaracalError(Reason.FIELD_INVALID, text, violations=violations) from None

    @model_validator(mode="after")
    def _refuse_unsafe(self) -> Self:
        for setting, problem in self._problems():
            raise ValueError(f"{setting}: {problem}")
        return self

    def _problems(self) -> list[tuple[str, str]]:
        problems = []
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
        if self.etcd_ca_file is None and not all(map(_is_safe_etcd, self.etcd_endpoints)):
            problems.append(("etcd_ca_file", "is needed, since etcd is not on loopback"))
        strange = [network for network in self.egress_allow if not _is_network(network)]
        if strange:
            text = f"{strange[0]} is not a network such as 10.1.0.0/16"
            problems.append(("egress_allow", text))
        if (self.etcd_username is None) != (self.etcd_password_file is None):
            problems.append(("etcd_password_file", "and etcd_username go together"))
        return problems + self.kek_problems() + self.policy_problems()

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
        return _secret("opa_token_file", self.opa_token_file) or ""

    def etcd(self) -> EtcdSettings:
        """The settings of the store, with its files read; raises `FIELD_INVALID`."""
        key = _secret("etcd_key_file", self.etcd_key_file)
        values: dict[str, Any] = {
            "endpoints": self.etcd_endpoints,
            "prefix": self.etcd_prefix,
            "ca": read_file("etcd_ca_file", self.etcd_ca_file),
            "cert": read_file("etcd_cert_file", self.etcd_cert_file),
            "key": key.encode() if key else None,
            "server_name": self.etcd_server_name,
            "username": self.etcd_username,
            "password": _secret("etcd_password_file", self.etcd_password_file),
        }
        try:
            return EtcdSettings(**values)
        except CaracalError as error:
            violation = error.violations[0]
            setting = _ETCD_SETTINGS.get(violation.field, f"etcd_{violation.field}")
            raise field_invalid(setting, violation.description) from error


_ETCD_SETTINGS: Final = {"cert": "etcd_cert_file"}
"""What a setting of the store is called here, unless it only gets `etcd_` in front."""


def named(setting: str, read: Callable[[Path], T], path: Path) -> T:
    """What `read` makes of `path`; raises `FIELD_INVALID` naming `setting` before the path."""
    try:
        return read(path)
    except CaracalError as error:
        violation = error.violations[0]
        raise field_invalid(setting, f"{violation.field} {violation.description}") from error


def _secret(setting: str, path: Path | None) -> str | None:
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


def _require_pair(certificate: Path, key: Path) -> None:
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key, password=lambda: "")
    except ssl.SSLError as error:
        mismatch = error.reason == "KEY_VALUES_MISMATCH"
        problem = f"is not the key of {certificate}" if mismatch else "holds no plain key in PEM"
        raise field_invalid("tls_key_file", f"{key} {problem}") from error


def is_wildcard(address: str) -> bool:
    """Whether `host:port` is every address of this machine, which nobody can call."""
    host = address.rpartition(":")[0].strip("[]")
    try:
        return not host or ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def is_loopback(address: str) -> bool:
    """Whether `host:port` is on this machine only."""
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def _is_safe_etcd(endpoint: str) -> bool:
    return endpoint.startswith("https://") or is_loopback(endpoint.removeprefix("http://"))


def _violation(error: Mapping[str, Any]) -> FieldViolation:
    if error["loc"]:
        name = ".".join(str(part) for part in error["loc"])
        problem = str(error["msg"]).removeprefix("Value error, ")
    else:
        name, _, problem = str(error["msg"]).removeprefix("Value error, ").partition(": ")
    top = name.partition(".")[0]
    return FieldViolation(name, f"{problem} (flag --{top.replace('_', '-')})")
