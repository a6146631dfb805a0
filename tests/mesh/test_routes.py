"""Which route a request is for: the closest one, or none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.interceptors.testing import refused
from caracal_grpc.mesh.paths import require_path
from caracal_grpc.mesh.routes import Match, Routes
from tests.mesh.desk import PUBLIC, route

FAMILY = {"resource": "resource://orders/{id}", "scopes": ["orders:read"]}


def found(routes: Routes, path: str, verb: str = "GET", host: str = "shop.test") -> Match:
    """The match, which there is."""
    match = routes.find(host, verb, require_path(path))
    assert match is not None
    return match


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/orders", "GET /orders"),
        ("/orders/42", "GET /orders/{id}"),
        ("/orders/mine", "GET /orders/mine"),
        ("/orders/42:cancel", "GET /orders/{id}:cancel"),
        ("/orders/42/items", "GET /orders/{id}/items"),
        ("/orders/mine/items", "GET /orders/{id}/items"),
        ("/files", "GET /files/**"),
        ("/files/", "GET /files/**"),
        ("/files/a/b/c", "GET /files/**"),
        ("/files/caf%C3%A9", "GET /files/**"),
    ],
)
def test_the_closest_template_wins(path: str, name: str) -> None:
    """A literal before a variable, both before the rest; and back, when it leads nowhere."""
    texts = ["/orders", "/orders/{id}", "/orders/mine", "/orders/{id}:cancel"]
    routes = Routes(route(each) for each in [*texts, "/orders/{id}/items", "/files/**"])
    assert found(routes, path).name == name


@pytest.mark.parametrize("path", ["/", "/order", "/orders/a/b", "/orders/a%20b", "/orders/a,b"])
def test_what_no_template_describes_has_no_rule(path: str) -> None:
    """A variable is one segment that can name a resource."""
    routes = Routes([route("/orders"), route("/orders/{id}")])
    assert routes.find("shop.test", "GET", path) is None


def test_the_variables_name_the_resource() -> None:
    """As a field of the request does for a method of gRPC."""
    match = found(Routes([route("/orders/{id}", FAMILY)]), "/orders/A-1.b~c")
    assert match.variables == {"id": "A-1.b~c"}


def test_a_variable_of_a_custom_method_is_without_it() -> None:
    """`:cancel` is no part of the name."""
    match = found(Routes([route("/orders/{id}:cancel", FAMILY)]), "/orders/42:cancel")
    assert match.variables == {"id": "42"}


def test_the_closest_template_owns_the_request_whatever_its_method() -> None:
    """What is open for reading below must not open what is closed for writing above it."""
    routes = Routes([route("/**", PUBLIC, methods=["*"]), route("/admin", methods=["GET"])])
    assert routes.find("shop.test", "DELETE", "/admin") is None
    assert found(routes, "/else", "DELETE").rule.public


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("shop.test", "GET shop.test/a"),
        ("eu.shop.test", "GET *.shop.test/a"),
        ("a.eu.shop.test", "GET *.eu.shop.test/a"),
        ("test", "GET /a"),
        ("", "GET /a"),
        ("notshop.test", "GET /a"),
        ("[::1]", "GET /a"),
    ],
)
def test_the_closest_host_wins(host: str, name: str) -> None:
    """A name before all below one, and those before all."""
    hosts = ["shop.test", "*.shop.test", "*.eu.shop.test", "*"]
    assert found(Routes([route("/a", hosts=hosts)]), "/a", host=host).name == name


def test_a_host_owns_its_requests() -> None:
    """The routes of every host are not those of one that has its own."""
    routes = Routes([route("/a", hosts=["shop.test"]), route("/b", PUBLIC)])
    assert routes.find("shop.test", "GET", "/b") is None


@pytest.mark.parametrize(
    "path", ["/Admin", "/ADMIN", "/admin/", "/%EF%BD%81dmin", "/admin%C2%AD"[:6] + "/"]
)
def test_a_path_that_a_forgiving_server_takes_for_another_route_is_refused(path: str) -> None:
    """Else the rule for the rest would open what has a rule of its own."""
    routes = Routes([route("/admin"), route("/**", PUBLIC)])
    with refused("FIELD_INVALID") as refusal:
        routes.find("shop.test", "GET", require_path(path))
    assert refusal.fields == ["path"]


def test_an_escape_that_is_needless_to_some_is_refused_beside_a_literal() -> None:
    """`%2B` is `+` once it is unescaped."""
    routes = Routes([route("/a+b"), route("/**", PUBLIC)])
    with refused("FIELD_INVALID"):
        routes.find("shop.test", "GET", require_path("/a%2Bb"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/a", "/a"),
        ("/a", "/a/"),
        ("/a", "/A"),
        ("/{x}", "/{y}"),
        ("/a/**", "/A/**"),
        ("/a+b", "/a%2Bb"),
    ],
)
def test_two_routes_for_the_same_requests_are_refused(one: str, other: str) -> None:
    """At start: nobody could say which one counts."""
    with refused("FIELD_INVALID"):
        Routes([route(one), route(other)])


def test_one_path_may_have_a_route_for_each_method() -> None:
    """Reading and writing ask for different things."""
    routes = Routes([route("/a", PUBLIC), route("/a", methods=["PUT", "POST"])])
    assert found(routes, "/a").rule.public
    assert not found(routes, "/a", "PUT").rule.public


@pytest.mark.parametrize(
    "wrong",
    [
        {"hosts": []},
        {"methods": []},
        {"hosts": ["Shop.Test"]},
        {"hosts": ["shop.test:80"]},
        {"hosts": ["a.*.test"]},
        {"methods": ["get"]},
        {"asked": {"resource": "resource://orders/{other}", "scopes": ["a:b"]}},
        {"asked": {"resource": "resource://orders"}},
        {"asked": {"scopes": ["a:b"]}},
        {"asked": {"resource": "resource://orders", "scopes": ["a:b"], "public": True}},
    ],
)
def test_a_half_written_route_is_refused(wrong: dict[str, object]) -> None:
    """It never becomes an open door."""
    with refused("FIELD_INVALID"):
        route("/orders/{id}", **wrong)  # type: ignore[arg-type]


@given(st.from_regex(r"(/[a-cA-C%2B.+{}-]{0,3}){1,4}", fullmatch=True), st.data())
def test_whatever_is_asked_the_stricter_rule_is_never_gone_around(path: str, data: object) -> None:
    """A request is for the rest only when no server could read a route of its own in it."""
    routes = Routes([route("/a"), route("/b/{x}"), route("/**", PUBLIC)])
    try:
        match = routes.find("shop.test", "GET", require_path(path))
    except CaracalError:
        return
    assert match is not None
    if match.rule.public:
        plain = path.lower().rstrip("/")
        assert plain != "/a"
        assert not (plain.startswith("/b/") and plain.count("/") == 2 and plain[3:].isalnum())
