"""`mesh`: the settings are shown and checked before anybody is refused, then served."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from caracal_grpc.interceptors.profile import Profile
from tests.cli.support import Ended, Running, caracal

SETTINGS = """\
profile: orders.json
listen: {listen}
inbound:
  methods:
    /shop.v1.Orders/Place: {{resource: "resource://orders", scopes: ["orders:place"]}}
  routes:
    - path: /orders/{{order_id}}
      methods: [GET]
      resource: resource://orders/{{order_id}}
      scopes: ["orders:read"]
    - {{path: /about, public: true, public_reason: says nothing of anybody}}
gateway:
  routes:
    - {{path: /v1/**, hosts: [crm.gateway], upstream: crm, resource: "resource://crm",
       scopes: ["crm:read"]}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Settings that are in order."""
    path = tmp_path / "mesh.yaml"
    path.write_text(SETTINGS.format(listen=f"unix:{tmp_path}/run/mesh.sock"))
    return path


def changed(file: Path, old: str, new: str) -> Path:
    """The settings with one change."""
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    return file


def check(file: Path, *more: str) -> Ended:
    """The check of a file."""
    return caracal("mesh", "check", file, *more)


def test_the_check_shows_what_is_asked(file: Path) -> None:
    """Of each method and route, each way; without a profile, which may be elsewhere."""
    ended = check(file)
    assert (ended.code, ended.err) == (0, "")
    for shown in ("inbound:", "shop.v1.Orders", "/orders/{order_id}", "gateway:", "crm:read"):
        assert shown in ended.out
    inbound, gateway = check(file, "--json").json["ways"]
    assert [row["method"] for row in inbound["methods"]] == ["Place"]
    assert [row["path"] for row in inbound["routes"]] == ["/orders/{order_id}", "/about"]
    assert [row["upstream"] for row in gateway["routes"]] == ["crm"]
    assert inbound["findings"] == gateway["findings"] == []


def test_a_finding_is_a_line_and_an_exit_code(file: Path) -> None:
    """As of `rules check`."""
    ended = check(changed(file, ", public_reason: says nothing of anybody", ""))
    assert ended.code == 6
    assert "* */about: is public without saying why" in ended.out
    assert ended.line == f"1 finding in {file}"
    assert check(file, "--json").code == 6


def test_what_the_zone_does_not_have_is_found(file: Path, tmp_path: Path) -> None:
    """No mandate could ever be had for it."""
    zone = tmp_path / "zone.yaml"
    zone.write_text(
        "zone: shop\nresources:\n  - {name: resource://orders, scopes: [orders:place]}\n"
    )
    ended = check(file, "-f", str(zone), "--json")
    assert ended.code == 6
    found = {each["kind"] for way in ended.json["ways"] for each in way["findings"]}
    assert found == {"resource-unknown"}


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("methods: [GET]", "methods: GET", 8, "inbound.routes[0].methods: must be a list"),
        ("methods: [GET]", "method: GET", 8, "inbound.routes[0].method: unknown;"),
        ("/orders/{order_id}\n", "orders\n", 7, "inbound.routes[0].path: must begin with a"),
        (
            "path: /orders/{order_id}\n",
            "path: /orders/{id}\n",
            9,
            "inbound.routes[0].resource: names {order_id}",
        ),
        ("/shop.v1.Orders/Place:", "Place:", 5, "inbound.methods.Place: must be a full method"),
        ('["orders:place"]', "orders:place", 5, "inbound.methods./shop.v1.Orders/Place.scopes: "),
        ("upstream: crm, ", "", 14, "gateway.routes[0].upstream: is missing;"),
        ("profile: orders.json\n", "", 1, "profile: is missing"),
        ("gateway:", "gateways:", 12, "gateways: is no key here"),
        ("listen: unix:", "listen: 0.0.0.0:", 2, "listen: "),
    ],
)
def test_what_is_wrong_has_its_line(file: Path, old: str, new: str, line: int, said: str) -> None:
    """And its path, so that nobody has to search."""
    ended = check(changed(file, old, new))
    assert ended.code == 2
    assert ended.line.startswith(f"{file}:{line}: {said}"), ended.line


def test_its_schema_describes_each_key() -> None:
    """For editors, and for people who want to know what there is."""
    schema = json.loads(caracal("mesh", "schema").out)
    parts = [schema, *schema["$defs"].values()]
    told = {
        name for part in parts for name, key in part["properties"].items() if key.get("description")
    }
    assert told >= {"profile", "listen", "clients", "forward_mandate", "on_behalf", "serves"}
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["profile", "listen"]


def test_it_serves_until_sigterm(file: Path, tmp_path: Path) -> None:
    """Though the authority is not there: it refuses until then, and says where it answers."""
    Profile(
        authority="127.0.0.1:1",
        zone="shop",
        issuer="https://a.example/zones/shop",
        application_id="app_01h455vb4pex5vsknk084sn02q",
        client_secret="a secret of a test",
        plaintext=True,
    ).save(tmp_path / "orders.json")
    running = Running("mesh", "serve", file, "--json")
    try:
        assert running.json == {"mesh": f"unix:{tmp_path}/run/mesh.sock"}
        again = caracal("mesh", "serve", file)
        assert again.code == 2
        assert again.line.startswith(f"{file}:2: listen: ")
    finally:
        ended = running.end(signal.SIGTERM)
    assert ended.code == 0, ended.err
    assert "Traceback" not in ended.err
    assert "a secret of a test" not in ended.err


def test_a_start_that_fails_is_one_line(file: Path) -> None:
    """Here without a profile."""
    ended = caracal("mesh", "serve", file)
    assert ended.code == 2
    assert ended.line.startswith(f"{file}:1: profile: ")
