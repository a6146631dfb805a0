"""The calls behind `policy`, their answers as plain values."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, TypeVar

from caracal_grpc.cli.context import Target
from caracal_grpc.cli.errors import CliError, ExitCode
from caracal_grpc.core.limits import AUTHORITY_RESOURCE, AUTHORITY_ZONE

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from caracal_grpc.cli.connection import Overrides

T = TypeVar("T")

_PAUSE: Final = 0.5
"""Seconds between looks for how far replicas are."""

Told = Callable[[dict[str, Any]], None]
"""Takes what was told."""


def ask_policies(target: Target, method: str, **fields: Any) -> dict[str, Any]:
    """The answer to one call; raises `CliError`, with a line for each field that is wrong."""
    from caracal_grpc.cli.connection import connected
    from caracal_grpc.cli.terminal.view import view

    async def work() -> dict[str, Any]:
        async with connected(target, _rules(target, method)) as channel:
            return view(await _call(channel, target, method, fields))

    return _run(target, work())


def list_versions(target: Target, limit: int) -> list[dict[str, Any]]:
    """At most `limit` versions, the newest first."""
    from caracal_grpc.cli.connection import connected
    from caracal_grpc.cli.terminal.pages import read_pages

    async def work() -> list[dict[str, Any]]:
        async with connected(target) as channel:
            request = _request(target, "List", {})
            return await read_pages(_stub(channel).List, request, "versions", limit)

    return _run(target, work())


def wait_loaded(target: Target, timeout: float, told: Told) -> dict[str, Any]:
    """The status when every replica has loaded the active version; `told` hears of it before, too.

    Raises `CliError` when one cannot use it, and when `timeout` seconds go by.
    """
    from caracal_grpc.cli.connection import connected
    from caracal_grpc.cli.terminal.view import view

    status: dict[str, Any] = {}

    async def work() -> None:
        nonlocal status
        async with asyncio.timeout(timeout), connected(target) as channel:
            while not is_loaded(status):
                status = view(await _call(channel, target, "GetStatus", {}))
                told(status)
                _require_usable(status)
                if not is_loaded(status):
                    await asyncio.sleep(_PAUSE)

    try:
        _run(target, work())
    except TimeoutError as exc:
        text = f"not every replica has loaded the active version within {timeout:g} s: "
        raise CliError(ExitCode.TIMEOUT, f"{text}{loads(status)}") from exc
    return status


def is_loaded(status: dict[str, Any]) -> bool:
    """Whether every replica has loaded the version that decides."""
    replicas = status.get("replicas", [])
    return bool(replicas) and all(_is_loaded(status, each) for each in replicas)


def loads(status: dict[str, Any]) -> str:
    """How many replicas have, in words."""
    replicas = status.get("replicas", [])
    return f"{sum(_is_loaded(status, each) for each in replicas)} of {len(replicas)} replicas"


def replay(target: Target, fields: dict[str, Any], told: Told) -> dict[str, Any]:
    """The last of what a replay told; `told` hears of each."""
    from caracal_grpc.cli.connection import connected
    from caracal_grpc.cli.terminal.view import view

    async def work() -> dict[str, Any]:
        last: dict[str, Any] = {}
        async with connected(target) as channel:
            async for response in _stub(channel).Replay(_request(target, "Replay", fields)):
                last = view(response)
                told(last)
        return last

    return _run(target, work())


def _rules(target: Target, method: str) -> Overrides:
    """Who chooses what decides in the authority's own zone asks for what makes operators, too."""
    if target.zone != AUTHORITY_ZONE or method not in {"Activate", "Rollback"}:
        return {}
    scopes = ["caracal:policies:activate", "caracal:zones:write"]
    rule = {"resource": AUTHORITY_RESOURCE, "scopes": scopes}
    return {f"/caracal.v1.PolicyService/{method}": rule}


def _is_loaded(status: dict[str, Any], replica: dict[str, Any]) -> bool:
    return bool(replica["version"] == status["active"] and replica["load"] == "loaded")


def _require_usable(status: dict[str, Any]) -> None:
    for each in status["replicas"]:
        if each["version"] == status["active"] and each["load"] == "failed":
            text = f"replica {each['replica']} cannot use {each['version']}: {each['detail']}"
            raise CliError(ExitCode.UNAVAILABLE, f"{text}; policy rollback goes back")


async def _call(channel: Any, target: Target, method: str, fields: dict[str, Any]) -> Any:
    from caracal_grpc.cli.connection import CALL_TIMEOUT

    call = getattr(_stub(channel), method)
    return await call(_request(target, method, fields), timeout=CALL_TIMEOUT)


def _stub(channel: Any) -> Any:
    from caracal_grpc.v1.policy_service_pb2_grpc import PolicyServiceStub

    return PolicyServiceStub(channel)


def _request(target: Target, method: str, fields: dict[str, Any]) -> Message:
    from caracal_grpc.v1 import policy_service_pb2

    request: Message = getattr(policy_service_pb2, f"PolicyService{method}Request")(
        zone=target.zone, **fields
    )
    return request


def _run(target: Target, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`; fields that the authority finds wrong are told one a line."""
    import grpc

    from caracal_grpc.cli.connection import run
    from caracal_grpc.interceptors.status import from_rpc_error

    async def told() -> T:
        try:
            return await work
        except grpc.RpcError as error:
            refusal = from_rpc_error(error)
            if refusal is None or not refusal.violations:
                raise
            lines = (f"{each.field}: {each.description}" for each in refusal.violations)
            raise CliError(ExitCode.USAGE, *lines) from error

    return run(target, told())
