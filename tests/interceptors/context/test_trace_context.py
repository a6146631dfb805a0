"""The W3C forms, read strictly: what is malformed or too long is left out and fails nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caracal_grpc.interceptors.context.trace import (
    MAX_BAGGAGE,
    MAX_BAGGAGE_MEMBERS,
    MAX_TRACESTATE,
    MAX_TRACESTATE_MEMBERS,
    claims_identity,
    read_baggage,
    read_traceparent,
    read_tracestate,
)

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (PARENT, PARENT),
        (f"00-{TRACE}-{SPAN}-03", f"00-{TRACE}-{SPAN}-03"),
        (f"cc-{TRACE}-{SPAN}-01", PARENT),
        (f"cc-{TRACE}-{SPAN}-01-what-comes-later", PARENT),
    ],
)
def test_a_traceparent_is_carried_in_the_form_of_version_00(value: str, read: str) -> None:
    """One of a later version as well: its beginning is the same."""
    assert read_traceparent([value]) == read


@pytest.mark.parametrize(
    "values",
    [
        [],
        [""],
        [PARENT, PARENT],
        [PARENT.upper()],
        [f" {PARENT}"],
        [f"{PARENT}\n"],
        [f"{PARENT}-more"],
        [PARENT[:-1]],
        [f"ff-{TRACE}-{SPAN}-01"],
        [f"cc-{TRACE}-{SPAN}-01.more"],
        [f"00-{'0' * 32}-{SPAN}-01"],
        [f"00-{TRACE}-{'0' * 16}-01"],
        [f"00-{TRACE}-{SPAN}-0g"],
        ["\u0660\u0660" + PARENT[2:]],
    ],
)
def test_a_malformed_traceparent_is_none(values: list[str]) -> None:
    """Also one that came twice: nobody knows which counts."""
    assert read_traceparent(values) is None


@pytest.mark.parametrize(
    ("values", "read"),
    [
        (["congo=t61rcWkgMzE"], "congo=t61rcWkgMzE"),
        (["rojo=00f067,congo=t61"], "rojo=00f067,congo=t61"),
        (["rojo=1 , congo=2\t,"], "rojo=1,congo=2"),
        (["rojo=1", "congo=2"], "rojo=1,congo=2"),
        (["fw529a3039@dt=FfV,0tenant@sys=a b!"], "fw529a3039@dt=FfV,0tenant@sys=a b!"),
        (["a=" + "x" * 256], "a=" + "x" * 256),
        (
            [",".join(f"k{n}=1" for n in range(MAX_TRACESTATE_MEMBERS))],
            ",".join(f"k{n}=1" for n in range(MAX_TRACESTATE_MEMBERS)),
        ),
        (["a=" + "x" * 252 + ",b=" + "y" * 255], "a=" + "x" * 252 + ",b=" + "y" * 255),
    ],
)
def test_a_tracestate_is_joined_to_one_list(values: list[str], read: str) -> None:
    """Several entries are one list in their order; blanks and empty members go."""
    assert len(read) <= MAX_TRACESTATE
    assert read_tracestate(values) == read


@pytest.mark.parametrize(
    "values",
    [
        [],
        [""],
        [","],
        ["novalue"],
        ["a="],
        ["=1"],
        ["A=1"],
        ["_a=1"],
        ["a=1,a=2"],
        ["a=1", "a=2"],
        ["a=é"],
        ["a=1=2"],
        ["a=" + "x" * 257],
        [",".join(f"k{n}=1" for n in range(MAX_TRACESTATE_MEMBERS + 1))],
        ["a=" + "x" * 253 + ",b=" + "y" * 255],
        ["a=1,", "b=" + "y" * 256, "c=" + "z" * 256],
    ],
)
def test_a_malformed_or_long_tracestate_is_none(values: list[str]) -> None:
    """The bounds hold over all entries together."""
    assert read_tracestate(values) is None


@pytest.mark.parametrize(
    ("values", "read"),
    [
        (["userId=alice"], "userId=alice"),
        (["user = alice ; secure ; ttl = 60 , b=%20x"], "user = alice ; secure ; ttl = 60,b=%20x"),
        (["a=1", "b=2"], "a=1,b=2"),
        (["empty="], "empty="),
        (["caracal.session=ses_1,a=1"], "a=1"),
        (["a=1,Caracal.Hop=0;p=1,b=2"], "a=1,b=2"),
        (["caracal%2Esession=ses_1,%63aracal.hop=1,caracal=x,a=1"], "a=1"),
        (["+caracal.session=ses_1,a=1"], "a=1"),
        (["mycaracal.x=1,caracally=2"], "mycaracal.x=1,caracally=2"),
        (["a=caracal.session"], "a=caracal.session"),
        (
            [",".join(f"k{n}=1" for n in range(MAX_BAGGAGE_MEMBERS))],
            ",".join(f"k{n}=1" for n in range(MAX_BAGGAGE_MEMBERS)),
        ),
        (["a=" + "x" * (MAX_BAGGAGE - 2)], "a=" + "x" * (MAX_BAGGAGE - 2)),
    ],
)
def test_baggage_is_joined_without_members_of_ours(values: list[str], read: str) -> None:
    """However their names are written."""
    assert read_baggage(values) == read


@pytest.mark.parametrize(
    "values",
    [
        [],
        [""],
        ["novalue"],
        ["a=1,,b=2"],
        ["a b=1"],
        ["a=x y"],
        ['a="x"'],
        ["a=é"],
        ["a=1;p q"],
        ["a=1;"],
        ["caracal.session=ses_1"],
        [",".join(f"k{n}=1" for n in range(MAX_BAGGAGE_MEMBERS + 1))],
        ["a=" + "x" * (MAX_BAGGAGE - 1)],
        ["a=" + "x" * (MAX_BAGGAGE - 4), "b="],
    ],
)
def test_malformed_long_or_empty_baggage_is_none(values: list[str]) -> None:
    """The bounds hold over all entries together."""
    assert read_baggage(values) is None


PARTS = st.lists(
    st.one_of(
        st.text(max_size=12),
        st.sampled_from([PARENT, "a=1", "caracal.x=1", "%63aracal.y=2", ",", ";", " ", "k=v;p"]),
    ),
    max_size=8,
).map("".join)


@given(st.lists(PARTS, max_size=3))
def test_whatever_comes_is_read_once_and_for_all(values: list[str]) -> None:
    """What was read reads as itself, is printable ASCII, and claims nothing."""
    for read in (read_traceparent, read_tracestate, read_baggage):
        once = read(values)
        if once is not None:
            assert once.isascii()
            assert once.replace("\t", " ").isprintable()
            assert read([once]) == once
    bag = read_baggage(values)
    names = [] if bag is None else [member.partition("=")[0] for member in bag.split(",")]
    assert not [name for name in names if claims_identity(name) and name.startswith("caracal")]
