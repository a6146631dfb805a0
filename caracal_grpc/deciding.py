"""The policy engines that the settings name: in this process, beside it, or on a server."""

from __future__ import annotations

from caracal_grpc.core.ports import Clock
from caracal_grpc.outbound.http import HttpOutbound
from caracal_grpc.policy.engines import engine
from caracal_grpc.policy.evaluator import DEFAULT_ENGINE
from caracal_grpc.policy.opa import MAX_AT_ONCE, OpaEngine, OpaServer, OpaSettings
from caracal_grpc.policy.port import Engine
from caracal_grpc.settings.files import read_certificates
from caracal_grpc.settings.serve import ServeSettings


def engines(settings: ServeSettings, clock: Clock) -> tuple[Engine, Engine]:
    """The engine that decides, and the one for what does not decide yet; closing the first closes
    both. Raises `FIELD_INVALID` naming a setting.
    """
    name, limits = settings.policy_engine, settings.policy_limits()
    if name != "opa":
        local = engine(name, limits)
        return local, local
    token, timeout = settings.opa_token(), settings.policy_timeout_ms / 1_000
    outbound = HttpOutbound(
        settings.opa_networks(),
        ca=read_certificates("opa_ca_file", settings.opa_ca_file),
        timeout=timeout,
        keep_alive=True,
        connections=MAX_AT_ONCE,
    )
    server = OpaServer(OpaSettings(settings.opa_url, timeout, token), outbound, clock)
    local = engine(DEFAULT_ENGINE, limits)
    return OpaEngine(local, server), local
