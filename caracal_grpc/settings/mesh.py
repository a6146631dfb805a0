"""The settings of what answers Envoy, `mesh.yaml`: an unsafe one refuses to start."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import ConfigDict, Field

from caracal_grpc.core.errors import CaracalError, FieldViolation
from caracal_grpc.core.limits import DEFAULT_MAX_STALENESS, MAX_STALENESS
from caracal_grpc.core.spiffe import require_pattern
from caracal_grpc.core.workload import is_thumbprint
from caracal_grpc.settings.addresses import is_loopback
from caracal_grpc.settings.document import FilePath, Part, read_document, refusal

UNIX: Final = "unix:"
"""What an address begins with that is the path of a socket."""

_MAX_SOCKET_PATH: Final = 107  # bytes of `sun_path` in unix(7), without its last zero
_MAX_PORT: Final = 65_535
_MAX_CLIENTS: Final = 256
_LISTEN: Final = re.compile(r"[^:/]+:\d{1,5}|\[[0-9A-Fa-f:.]+\]:\d{1,5}")


class Tls(Part):
    """Mutual TLS."""

    cert_file: FilePath
    """Our certificate chain, PEM; read anew when it changes."""
    key_file: FilePath
    """Its private key, PEM, mode 0600."""
    client_ca_file: FilePath
    """The CA of the proxies that ask, PEM."""
    clients: Annotated[list[str], Field(min_length=1, max_length=_MAX_CLIENTS)]
    """Those of them that are answered: SPIFFE ids, in which `*` stands for one whole segment of the
    path, or the SHA-256 thumbprints of their certificates, in base64url (`x5t#S256`)."""


class Record(Part):
    """What goes into the ledger besides every refusal."""

    sampling_rate: Annotated[float, Field(ge=0, le=1)] = 0.0
    """The share of what is let in."""
    spill: FilePath | None = None
    """A file of this process alone, which keeps what cannot be delivered yet."""


class DeclaredRoute(Part):
    """Requests over plain HTTP, and beside these keys what a rule asks of them."""

    model_config = ConfigDict(extra="allow")

    path: str
    """A template: `/orders/{order_id}`, `/orders/{order_id}:cancel` or `/files/**`."""
    hosts: list[str] = Field(["*"])
    """Names, `*.shop.example` for all below one, or `*`."""
    methods: list[str] = Field(["*"])
    """Such as `GET`, or `*`."""

    @property
    def rule(self) -> Mapping[str, Any]:
        """What is asked, in the form of a rule."""
        return self.model_extra or {}


class Declared(Part):
    """What requests take, each by its rule."""

    descriptor_sets: list[FilePath] = Field([])
    """Protos whose methods declare their rules, as `protoc --include_imports
    --descriptor_set_out` or `buf build` writes them."""
    methods: dict[str, dict[str, Any]] = Field({})
    """Rules by `/package.Service/Method`; they win over what a proto declares."""
    routes: list[DeclaredRoute] = Field([])
    """Rules of plain HTTP."""


class Inbound(Declared):
    """What comes to the service, and what it has to show."""

    keep: list[str] = Field([])
    """Headers that say who calls and that a proxy on the way vouches for, such as
    `x-forwarded-client-cert`: the service sees them, where others are removed."""
    forward_mandate: bool = True
    """Whether the service gets the mandate itself, to act on behalf of its caller. Without, no
    bearer token reaches it, not even by public methods, which look at none."""
    cache_seconds: Annotated[int, Field(ge=0, le=MAX_STALENESS)] = 0
    """For how long a proxy may repeat a verdict at most. With what is not known yet when it is
    made, that is never longer than `max_staleness`, the time until a revocation is known."""


class OutboundUpstream(Part):
    """One that the service calls, and what it may be given mandates for there."""

    hosts: Annotated[list[str], Field(min_length=1)]
    """By which it is called: of every port, or of one, as in `pay.shop:8443`, if the proxy leaves
    it in the host."""
    resources: Annotated[list[str], Field(min_length=1)]
    """What it serves; `resource://orders/*` is a family."""
    on_behalf: Literal["required", "optional", "never"] = "required"
    """Whether a request acts on behalf of the caller that the service is serving: only so, as the
    service itself when there is none, or always as the service itself."""


class Outbound(Declared):
    """What the service calls: each request gets a mandate for where it goes."""

    serves: Annotated[list[str], Field(min_length=1)]
    """The resources of the service itself: mandates for others are none of its callers'."""
    upstreams: Annotated[dict[str, OutboundUpstream], Field(min_length=1)]
    correlate: Literal["traceparent", "x-request-id"] | None = None
    """The header whose id a request has in common with the one that caused it, for a service that
    does not hand on the authorization of its caller."""
    correlate_seconds: float = 60.0
    """For how long after the one that caused it."""
    bound: bool | None = None
    """Whether mandates are bound to the certificate of the profile, which the proxy has to show to
    upstreams; by default when the profile has one."""


class GatewayRoute(DeclaredRoute):
    """Requests that go on with a credential of their upstream, or are public and have none."""

    upstream: str = ""
    """What the authority calls the credential; see `caracal-grpc upstream`."""


class Gateway(Part):
    """What goes to others through this gateway, with their credentials."""

    routes: Annotated[list[GatewayRoute], Field(min_length=1)]


class MeshSettings(Part):
    """What `mesh serve` runs with; use `load`, which names each path that is wrong."""

    profile: FilePath
    """The profile of the workload's own application."""
    listen: str
    """`unix:` and the path of a socket in a folder that others cannot enter, or `host:port`:
    anywhere with `tls`, on loopback without. Port 0 picks one."""
    tls: Tls | None = None
    max_staleness: Annotated[float, Field(ge=2, le=MAX_STALENESS)] = DEFAULT_MAX_STALENESS
    """Seconds without the authority after which everything is refused."""
    drain_seconds: Annotated[float, Field(ge=0, le=300)] = 5.0
    """Seconds that accepted questions get to finish on SIGTERM."""
    telemetry: bool = False
    """Spans, metrics and a line for each refusal, through OpenTelemetry."""
    record: Record = Record()
    alone_on_host: bool = False
    """Whether nobody else has programs where loopback reaches, as in a pod. Only then may a
    plaintext address of loopback hand out mandates and credentials."""
    inbound: Inbound | None = None
    outbound: Outbound | None = None
    gateway: Gateway | None = None

    @classmethod
    def load(cls, document: object, folder: Path) -> Self:
        """The settings in `document`, whose files are relative to `folder`.

        Raises `FIELD_INVALID` with a violation for each path that is wrong, missing or unsafe.
        """
        settings = read_document(cls, document, folder)
        if problems := list(settings.problems()):
            raise refusal(problems)
        return settings

    @property
    def socket(self) -> Path | None:
        """The path of the unix socket to listen on; `None` for an address."""
        if not self.listen.startswith(UNIX):
            return None
        return Path(self.listen.removeprefix(UNIX).removeprefix("//"))

    def problems(self) -> Iterator[FieldViolation]:
        """What is unsafe, or no single key shows."""
        if problem := self._listen_problem():
            yield FieldViolation("listen", problem)
        for index, client in enumerate(self.tls.clients if self.tls else ()):
            if not is_thumbprint(client):
                yield from _pattern_problems(f"tls.clients[{index}]", client)
        if not (self.inbound or self.outbound or self.gateway):
            text = "is missing; say what comes to the service, or configure outbound or gateway"
            yield FieldViolation("inbound", text)
        if self.inbound and self.inbound.cache_seconds > self.max_staleness:
            text = "must be at most max_staleness, by when a revocation has to be known"
            yield FieldViolation("inbound.cache_seconds", text)

    def _listen_problem(self) -> str:
        if (path := self.socket) is not None:
            fits = len(bytes(path)) <= _MAX_SOCKET_PATH and str(path).isprintable()
            if not path.is_absolute() or not path.name or not fits:
                return f"must be unix: and an absolute path of at most {_MAX_SOCKET_PATH} bytes"
            return "is a unix socket, which needs no tls; leave one of them out" * bool(self.tls)
        if not _LISTEN.fullmatch(self.listen) or int(self.listen.rpartition(":")[2]) > _MAX_PORT:
            return "must be unix: and a path, or host:port"
        if self.tls is None and not is_loopback(self.listen):
            return "is not on this machine only: add tls with the clients that may ask"
        if self.tls is None and (self.outbound or self.gateway) and not self.alone_on_host:
            return (
                "hands out mandates and credentials to every program on this machine: use a unix "
                "socket, or say alone_on_host where there is no other, as in a pod"
            )
        return ""


def _pattern_problems(field: str, value: str) -> tuple[FieldViolation, ...]:
    try:
        require_pattern(field, value)
    except CaracalError as error:
        return tuple(error.violations)
    return ()
