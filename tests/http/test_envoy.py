"""Envoy's own `jwt_authn`, over our key set: no mandate is refused while a key is rotated."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from caracal_grpc.crypto import base64url
from caracal_grpc.v1 import key_service_pb2
from tests.http.port import Port, port_of
from tests.server.test_start import free_port
from tests.support.authority import Running, Starter, eventually
from tests.support.envoy import EXAMPLES, Configuration, Envoy, envoy
from tests.support.mutual import claims
from tests.support.raw_http import exchange
from tests.support.shop import ORDERS, STOCK, shop
from tests.support.web import Answer, WebServer

KEPT = 3
"""Seconds that the zone lets a copy of its keys be kept; it publishes each for five more."""
FETCHED = 2
"""Seconds after which Envoy fetches them again: less than that, and a time for the fetch."""


@dataclass
class Gate:
    """An Envoy before a service, the authority whose keys it fetches, and that one's port."""

    running: Running
    port: Port
    configuration: Configuration
    service: WebServer

    async def ask(self, made: Envoy, token: str) -> int:
        """The status that the Envoy answers to who shows `token`."""
        headers = (("authorization", f"Bearer {token}"),)
        return (await exchange(made.address("keys"), "GET", "/orders", headers)).status

    async def rotate(self) -> str:
        """Rotates the key of the shop; the id of the new one."""
        request = key_service_pb2.RotateKeyRequest(zone="shop")
        metadata = await self.running.operator()
        answer = await self.running.stubs.keys.RotateKey(request, metadata=metadata)
        return str(answer.key.public.kid)


@pytest.fixture
async def gate(start_authority: Starter) -> AsyncIterator[Gate]:
    """The example's configuration, with the times of the test."""
    address = f"127.0.0.1:{free_port()}"
    running = await start_authority(http_listen=address, public_url=f"http://{address}")
    times = {"key_publish_seconds": 2, "jwks_max_age_seconds": KEPT}
    await running.apply(shop(settings=times))
    service = WebServer(answers={"/orders": Answer(b"orders")})
    await service.start()
    configuration = Configuration("jwt_authn.yaml")
    configuration.cluster("authority_http", address).cluster("service", f"127.0.0.1:{service.port}")
    (filtered,) = configuration.all("JwtAuthentication")
    provider = filtered["providers"]["caracal"]
    provider["issuer"] = f"http://{address}/zones/shop"
    keys = provider["remote_jwks"]
    keys["http_uri"] |= {"uri": f"http://{address}/zones/shop/.well-known/jwks.json"}
    keys |= {"cache_duration": f"{FETCHED}s"}
    try:
        yield Gate(running, port_of(running), configuration, service)
    finally:
        await service.stop()


def kid(token: str) -> str:
    """The key that signed it."""
    return str(json.loads(base64url.decode(token.partition(".")[0]))["kid"])


async def test_no_mandate_is_refused_across_a_rotation(gate: Gate, tmp_path: Path) -> None:
    """Not by the old key, not by the new one, at no moment from before to after."""
    async with envoy(tmp_path / "envoy", gate.configuration) as made:
        first = await gate.port.mandate("agent", ORDERS)
        assert await gate.ask(made, first) == 200
        new = await gate.rotate()
        signed = {kid(first): 0, new: 0}

        async def signs_for_long() -> bool:
            token = await gate.port.mandate("agent", ORDERS)
            assert [await gate.ask(made, each) for each in (first, token)] == [200, 200]
            signed[kid(token)] += 1
            return signed[new] >= 20

        await eventually(signs_for_long, timeout=60)
        assert all(signed.values())


def test_example_keeps_keys_no_longer_than_its_zone_lets_it() -> None:
    """With the time that a fetch may take; both are of the times that the file itself names."""
    text = (EXAMPLES / "jwt_authn.yaml").read_text()
    (lets,) = re.findall(r"settings: \{jwks_max_age_seconds: (\d+)\}", text)
    (kept,) = re.findall(r"cache_duration: (\d+)s", text)
    (fetch,) = re.findall(r"timeout: (\d+)s\n +# At most jwks_max_age_seconds", text)
    assert int(kept) + int(fetch) <= int(lets)


async def test_what_is_no_mandate_for_it_is_refused(gate: Gate, tmp_path: Path) -> None:
    """It verifies: an altered one, one for another resource, and none at all."""
    async with envoy(tmp_path / "envoy", gate.configuration) as made:
        token = await gate.port.mandate("agent", ORDERS)
        head, payload, signature = token.split(".")
        altered = {**claims(token), "scope": "orders:track"}
        forged = ".".join([head, base64url.encode(json.dumps(altered).encode()), signature])
        assert await gate.ask(made, token) == 200
        for each in ("x", forged, f"{head}.{payload}.{'A' * 86}"):
            assert await gate.ask(made, each) == 401
        other = await gate.port.mandate("agent", STOCK)
        assert await gate.ask(made, other) == 403
        assert gate.service.count("/orders") == 1


async def test_keys_are_kept_while_the_authority_is_away(gate: Gate, tmp_path: Path) -> None:
    """What was good goes on being good; nothing else comes to be."""
    async with envoy(tmp_path / "envoy", gate.configuration) as made:
        token = await gate.port.mandate("agent", ORDERS)
        assert await gate.ask(made, token) == 200
        await gate.running.server.stop()

        async def misses_them() -> bool:
            return (await made.stats(of="jwks_fetch"))["jwks_fetch_failed"] > 1

        await eventually(misses_them)
        assert await gate.ask(made, token) == 200
        assert await gate.ask(made, token[:-3] + "AAA") == 401
