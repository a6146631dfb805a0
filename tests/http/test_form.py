"""Forms and credentials: read one way only, and never repeated in a refusal."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from urllib.parse import quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.http.credential import JWT_BEARER, Credential, read_credential
from caracal_grpc.http.form import MAX_PARAMETERS, Form, parse
from tests.support.refusals import refused

SECRET = "s3cr3t-s3cr3t"
CLIENT = "app_01h455vb4pex5vsknk084sn02q"


def form(**values: str) -> Form:
    """A form of one value each."""
    return Form({name: (value,) for name, value in values.items()})


def basic(text: str) -> str:
    """The header."""
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_what_is_sent_is_what_is_read() -> None:
    """Escapes and plus signs as the form says; no value is no parameter."""
    read = parse(b"a=b+c%2Bd&empty=&resource=x&resource=y")
    assert read.one("a") == "b c+d"
    assert read.one("empty") == read.one("none") == ""
    assert read.all("resource") == ("x", "y")


def test_nothing_is_an_empty_form() -> None:
    """And no fault."""
    assert parse(b"").one("a") == ""


@pytest.mark.parametrize(
    "body",
    [
        b"a",
        b"a=1&&b=2",
        b"&",
        b"a=1&",
        b"a=%",
        b"a=%zz",
        b"a=%e2%28",
        b"a=%ff",
        "a=é".encode(),
        b"\x00\xff",
        b"client_secret=" + SECRET.encode() + b"&client_secret=" + SECRET.encode(),
        b"a=&a=",
        b"&".join(b"a%d=" % n for n in range(MAX_PARAMETERS + 1)),
        b"broken&client_secret=" + SECRET.encode(),
    ],
)
def test_broken_form_is_refused_unsaid(body: bytes) -> None:
    """The refusal names the parameter at most."""
    with refused(Reason.FIELD_INVALID) as seen:
        parse(body)
    assert SECRET not in str(seen.error)
    assert seen.error.__cause__ is None


@pytest.mark.parametrize("value", ["%00", "%0d%0a", "%c3%a9", "%7f", "%e2%80%ae"])
def test_value_that_is_not_plain_is_refused(value: str) -> None:
    """Where it counts; parameters that nobody knows count for nothing."""
    read = parse(f"scope={value}&other=1".encode())
    with refused(Reason.FIELD_INVALID) as seen:
        read.one("scope")
    assert seen.fields == ["scope"]
    assert read.one("other") == "1"


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_a_form_or_refused(body: bytes) -> None:
    """Never a fault."""
    try:
        parse(body)
    except CaracalError as refusal:
        assert refusal.reason is Reason.FIELD_INVALID


@settings(deadline=None)
@given(
    st.dictionaries(st.text(min_size=1, max_size=9), st.text(min_size=1, max_size=9), max_size=9)
)
def test_every_well_formed_form_is_read(values: Mapping[str, str]) -> None:
    """Exactly what was meant, or refused for what no parameter of ours has."""
    body = "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in values.items())
    read = parse(body.encode())
    for name, value in values.items():
        try:
            assert read.one(name) == value
        except CaracalError:
            assert not (value.isascii() and value.isprintable())


def test_ways_to_authenticate() -> None:
    """One of each; nothing of it shows."""
    both = {"client_assertion": "a.b.c", "client_assertion_type": JWT_BEARER}
    ways = {
        "basic": (basic(f"{CLIENT}:{SECRET}"), form()),
        "encoded": (basic(f"{CLIENT}:{SECRET.replace('-', '%2D')}"), form(client_id=CLIENT)),
        "post": (None, form(client_id=CLIENT, client_secret=SECRET)),
        "assertion": (None, form(client_id=CLIENT, **both)),
        "certificate": (None, form(client_id=CLIENT)),
    }
    read = {way: read_credential(*shown) for way, shown in ways.items()}
    secret = Credential(CLIENT, SECRET)
    assert read["basic"] == read["encoded"] == read["post"] == secret
    assert read["assertion"] == Credential(CLIENT, None, "a.b.c")
    assert read["certificate"] == Credential(CLIENT)
    assert SECRET not in repr(secret)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic ",
        "Basic !!!!",
        "Basic " + base64.b64encode(b"\xff:\xff").decode(),
        basic("no-colon"),
        basic(":secret"),
        f"Bearer {SECRET}",
        f"Basic {SECRET}",
        f"Digest {SECRET}",
    ],
)
def test_header_that_is_none_of_ours_fails(header: str) -> None:
    """401 in the end, whatever the form says."""
    with refused(Reason.CLIENT_AUTH_FAILED) as seen:
        read_credential(header, form(client_id=CLIENT, client_secret=SECRET))
    assert SECRET not in str(seen.error)


@pytest.mark.parametrize(
    ("header", "values", "field"),
    [
        (basic(f"{CLIENT}:x"), {"client_secret": "x"}, "request"),
        (basic(f"{CLIENT}:x"), {"client_id": "app_other"}, "client_id"),
        (None, {"client_assertion": "x"}, "client_assertion_type"),
        (None, {"client_assertion_type": JWT_BEARER}, "client_assertion_type"),
        (None, {"client_assertion": "x", "client_assertion_type": "saml"}, "client_assertion_type"),
        (
            None,
            {"client_secret": "x", "client_assertion": "x", "client_assertion_type": JWT_BEARER},
            "request",
        ),
    ],
)
def test_two_ways_at_once_are_refused(
    header: str | None, values: dict[str, str], field: str
) -> None:
    """RFC 6749 section 2.3: one method, and one client."""
    with refused(Reason.FIELD_INVALID) as seen:
        read_credential(header, form(**values))
    assert seen.fields == [field]


def test_nobody_is_nobody() -> None:
    """A proof without a name, too."""
    with refused(Reason.CLIENT_AUTH_FAILED):
        read_credential(None, form(client_secret=SECRET))
