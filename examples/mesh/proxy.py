"""Runs an Envoy with configurations of `envoy/`, in which the addresses of one machine are put.

    python examples/mesh/proxy.py sidecar.yaml outbound.yaml \
        inbound=127.0.0.1:7432 outbound=unix:/tmp/caracal-shop-orders/payments.sock \
        caracal_check=unix:/tmp/caracal-shop-orders/mesh.sock \
        service_grpc=127.0.0.1:7433 payments_grpc=127.0.0.1:7431

A name is that of a listener or of a cluster, or `admin`. What is not named is left out, and so are
the routes to it. What follows `--` goes to Envoy.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from caracal_grpc.mesh.envoy_binary import INSTALL, find_envoy

FOLDER = Path(__file__).parent / "envoy"
QUIET = ("--disable-hot-restart", "--concurrency", "1", "--log-level", "warning")


def configuration(names: Sequence[str], addresses: Mapping[str, str]) -> dict[str, Any]:
    """The configurations `names` as one, at `addresses`, by listener and cluster."""
    read = [yaml.safe_load((FOLDER / name).read_text()) for name in names]
    made: dict[str, Any] = {"node": read[0]["node"]}
    if "admin" in addresses:
        made["admin"] = {"address": address(addresses["admin"])}
    listeners = _named("listeners", read, addresses)
    clusters = _named("clusters", read, addresses)
    unknown = addresses.keys() - {each["name"] for each in (*listeners, *clusters)} - {"admin"}
    if unknown:
        raise SystemExit(f"no listener and no cluster is called {', '.join(sorted(unknown))}")
    for listener in listeners:
        listener["address"] = address(addresses[listener["name"]])
        _keep_routes(listener, addresses)
    for cluster in clusters:
        (locality,) = cluster["load_assignment"]["endpoints"]
        (endpoint,) = locality["lb_endpoints"]
        endpoint["endpoint"]["address"] = address(addresses[cluster["name"]])
        cluster.pop("transport_socket", None)  # on this machine nobody has a certificate
    return made | {"static_resources": {"listeners": listeners, "clusters": clusters}}


def address(text: str) -> dict[str, Any]:
    """`host:port`, or `unix:` and a path, as Envoy writes it."""
    if text.startswith("unix:"):
        return {"pipe": {"path": text.removeprefix("unix:"), "mode": 0o600}}
    host, _, port = text.rpartition(":")
    return {"socket_address": {"address": host, "port_value": int(port)}}


def _named(kind: str, read: Sequence[Any], wanted: Mapping[str, str]) -> list[dict[str, Any]]:
    found = {each["name"]: each for one in read for each in one["static_resources"][kind]}
    return [each for name, each in found.items() if name in wanted]


def _keep_routes(listener: dict[str, Any], clusters: Mapping[str, str]) -> None:
    for host in _virtual_hosts(listener):
        host["routes"] = [each for each in host["routes"] if _leads(each, clusters)]


def _leads(route: dict[str, Any], clusters: Mapping[str, str]) -> bool:
    return "route" not in route or route["route"]["cluster"] in clusters


def _virtual_hosts(listener: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for chain in listener["filter_chains"]:
        for each in chain["filters"]:
            yield from each["typed_config"].get("route_config", {}).get("virtual_hosts", ())


def main(arguments: Sequence[str]) -> None:
    """Becomes Envoy."""
    binary = find_envoy()
    if binary is None:
        raise SystemExit(f"there is no envoy, {INSTALL}")
    end = arguments.index("--") if "--" in arguments else len(arguments)
    own, more = arguments[:end], arguments[end + 1 :]
    addresses = dict(each.split("=", 1) for each in own if "=" in each)
    made = configuration([each for each in own if "=" not in each], addresses)
    command = [str(binary), "--config-yaml", json.dumps(made), *QUIET, *more]
    os.execv(binary, command)  # noqa: S606 - it becomes Envoy, and needs no shell


if __name__ == "__main__":
    main(sys.argv[1:])
