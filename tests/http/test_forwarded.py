"""Clients behind a real Envoy, which writes their certificates into `X-Forwarded-Client-Cert`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from tests.http.test_certificates import PROXY, WEB, Doors, doors, element
from tests.mesh.envoy.test_mutual import behind, showing
from tests.support.envoy import Configuration, envoy
from tests.support.tls import write_tls

__all__ = ["doors"]

STRANGER = "spiffe://mesh.example/ns/edge/sa/other"


@asynccontextmanager
async def through(doors: Doors, folder: Path, proxy: str) -> AsyncIterator[Doors]:
    """The same endpoint behind an Envoy that is `proxy`, and writes the header as our example's."""
    folder.mkdir(exist_ok=True)
    configuration = Configuration("sidecar.yaml")
    (manager,) = configuration.all("HttpConnectionManager")
    manager["http_filters"] = manager["http_filters"][-1:]
    files = write_tls(folder, doors.mutual.roots, "envoy", names=("127.0.0.1", proxy))
    showing(behind(configuration, files), "service_http", files, "http/1.1")
    configuration.cluster("service_http", doors.url.split("/")[2])
    async with envoy(folder / "envoy", configuration) as made:
        path = doors.url.split("/", 3)[3]
        yield replace(doors, url=f"https://{made.address()}/{path}")


async def test_who_is_behind_a_listed_proxy_is_who_it_says(doors: Doors, tmp_path: Path) -> None:
    """By a SPIFFE id or a DNS name; each is itself, and nobody else."""
    web = doors.mutual.certificate("web", WEB)
    named = doors.mutual.certificate("named", "named.shop.example")
    async with through(doors, tmp_path, PROXY) as behind_proxy:
        for name, shown in (("web", web), ("named", named)):
            assert (await behind_proxy.knock(name, shown)).status_code == 200
        for name, shown in (("web", named), ("named", web), ("agent", web)):
            refused = await behind_proxy.knock(name, shown)
            assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")


async def test_what_a_caller_writes_itself_is_not_what_the_proxy_says(
    doors: Doors, tmp_path: Path
) -> None:
    """The proxy drops it."""
    web, stranger = (
        doors.mutual.certificate(name, uri) for name, uri in (("a", WEB), ("b", STRANGER))
    )
    async with through(doors, tmp_path, PROXY) as behind_proxy:
        refused = await behind_proxy.knock("web", stranger, element(web, f"URI={WEB}"))
        assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
        assert (await behind_proxy.knock("web", web, "nonsense")).status_code == 200


async def test_a_proxy_that_is_not_listed_vouches_for_nobody(doors: Doors, tmp_path: Path) -> None:
    """Whatever it writes: to the authority its callers are the proxy itself."""
    web = doors.mutual.certificate("web", WEB)
    async with through(doors, tmp_path, STRANGER) as behind_proxy:
        refused = await behind_proxy.knock("web", web)
        assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    async with through(doors, tmp_path / "own", WEB) as behind_proxy:
        own = doors.mutual.certificate("own", STRANGER)
        assert (await behind_proxy.knock("web", own)).status_code == 200
