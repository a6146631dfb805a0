"""The HTTP port of a running authority, as the settings ask for it; its libraries are an extra."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from caracal_grpc import health
from caracal_grpc.authority.authority import Authority
from caracal_grpc.authority.workloads.peers import Peers
from caracal_grpc.core.errors import field_invalid
from caracal_grpc.core.ports import Clock
from caracal_grpc.services.drain import Drain
from caracal_grpc.settings.serve import ServeSettings

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from caracal_grpc.http.server import HttpServer


@dataclass(frozen=True, slots=True)
class Around:
    """What of the server the port shares with the gRPC one."""

    clock: Clock
    peers: Peers
    drain: Drain
    health: health.Health


def open_port(settings: ServeSettings, authority: Authority, around: Around) -> HttpServer:
    """The port, not started; raises `FIELD_INVALID` when its libraries are not installed."""
    try:
        from caracal_grpc.http.server import HttpServer
    except ImportError as error:
        text = "needs libraries of its own: pip install 'caracal-grpc[http]'"
        raise field_invalid("http_listen", text) from error
    app = _application(settings, authority, around)
    return HttpServer(app, settings.http_listen, _tls(settings) if settings.tls else None)


def _application(settings: ServeSettings, authority: Authority, around: Around) -> ASGIApp:
    from caracal_grpc.http.application import application
    from caracal_grpc.http.clients import UseCases
    from caracal_grpc.http.health import Health
    from caracal_grpc.http.metrics import Metrics
    from caracal_grpc.http.published import Published

    cases = UseCases(
        state=authority.state,
        exchange=authority.exchange,
        inspection=authority.inspection,
        revocations=authority.revocations,
        proofs=authority.proving.proofs,
        peers=around.peers,
        drain=around.drain,
    )
    certificates = settings.tls_client_ca_file is not None
    published = Published(
        authority.state, authority.keyring, around.clock, certificates=certificates
    )

    def ready() -> bool:
        return around.health.serving

    metrics = Metrics(
        authority.state,
        authority.feed,
        authority.recorder,
        around.drain,
        ready,
        authority.proving.sweeping.integrities,
    )
    shown = metrics if settings.http_metrics else None
    return application(published, cases, Health(ready), settings.public_url, metrics=shown)


def _tls(settings: ServeSettings) -> ssl.SSLContext:
    """The server's certificate. Clients may show theirs: who reads keys and health has none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(str(settings.tls_cert_file), str(settings.tls_key_file))
    if settings.tls_client_ca_file is not None:
        context.load_verify_locations(settings.tls_client_ca_file)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context
