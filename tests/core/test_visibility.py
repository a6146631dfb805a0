"""What a mandate shows of its lineage: nobody who is hidden, and still all that can kill it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caracal_grpc.core.ids import typeid
from caracal_grpc.core.mandate import Hop, Mandate, from_claims, to_claims
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.rule import Rule
from caracal_grpc.core.verdict import judge
from caracal_grpc.core.visibility import alias, hidden, hides, is_alias, revealed
from caracal_grpc.core.zone import ChainVisibility, Zone
from tests.core.samples import CALL, TRUST, mandate
from tests.support.refusals import refused

MODES: list[ChainVisibility] = ["hashed", "last"]


def name(prefix: str, number: int) -> str:
    """An id of a kind."""
    return typeid(prefix, 1_790_000_000_000, number.to_bytes(10, "big"))


def line(*delegated: bool, own: int = 1, above: int = 1) -> tuple[Mandate, frozenset[str]]:
    """A mandate over a hop for each of `delegated`, and the holder's own sessions."""
    chain = tuple(
        Hop(name("app", at), name("ses", at), name("del", at) if passed else None)
        for at, passed in enumerate(delegated, start=1)
    )
    mine = tuple(name("ses", 100 + at) for at in range(own))
    others = tuple(name("ses", 200 + at) for at in range(above))
    holder = chain[-1] if chain else Hop(name("app", 0), name("ses", 0))
    full = mandate(
        chain=chain,
        subject=name("app", 0),
        application=holder.application,
        session=holder.session,
        root_session=name("ses", 300),
        ancestors=(*others, *mine),
    )
    return full, frozenset({holder.session, *mine})


LINES = st.builds(
    lambda passed, own, above: line(*passed, own=own, above=above),
    st.lists(st.booleans(), max_size=5),
    st.integers(0, 3),
    st.integers(0, 3),
)


def finder(full: Mandate) -> Any:
    """Whom each alias stands for."""
    return {alias(full.zone, each): each for each in full.anchors}.get


@given(LINES, st.sampled_from(MODES))
def test_nothing_upstream_is_shown(made: tuple[Mandate, frozenset[str]], mode: Any) -> None:
    """Every id is gone from the claims but the subject and the holder's own."""
    full, own = made
    shown = json.dumps(to_claims(hidden(full, mode, own)))
    kept = {full.subject, full.application, *own, full.jti, full.kid}
    last = full.chain[-1].delegation if full.chain else None
    for anchor in set(full.anchors) - kept - {last}:
        assert anchor not in shown
    assert full.subject in shown


@given(LINES, st.sampled_from(MODES))
def test_what_is_shown_reads_back_as_what_it_is(
    made: tuple[Mandate, frozenset[str]], mode: Any
) -> None:
    """Through claims and JSON, and with who each alias stands for, to the very same mandate."""
    full, own = made
    shown = hidden(full, mode, own)
    claims = json.loads(json.dumps(to_claims(shown)))
    assert from_claims(claims, full.kid) == shown
    assert revealed(shown, finder(full)) == full


@given(LINES, st.sampled_from(MODES))
def test_every_anchor_is_one_by_its_id_or_its_alias(
    made: tuple[Mandate, frozenset[str]], mode: Any
) -> None:
    """So whatever dies, it dies; and hops are counted with those that are hidden."""
    full, own = made
    shown = hidden(full, mode, own)
    for anchor in full.anchors:
        assert {anchor, alias(full.zone, anchor)} & set(shown.anchors)
    assert shown.hops == full.hops


def test_full_hides_nothing() -> None:
    """It is the mandate itself; so is one for the authority, whatever the zone hides."""
    full, own = line(True, True)
    assert hidden(full, "full", own) is full
    session = replace(full, use="session")
    assert hidden(session, "last", own) is session


def test_last_hop_is_all_that_is_left() -> None:
    """One hop, one actor, and the number of all hops in the claim that others count by."""
    full, own = line(True, False, True)
    claims = to_claims(hidden(full, "last", own))
    assert [hop["application_id"] for hop in claims["delegation_chain"]] == [full.application]
    assert claims["act"] == {"sub": full.application}
    assert claims["hop_count"] == 3
    assert claims["hidden"]["hops"] == 2
    assert all(map(is_alias, claims["hidden"]["anchors"]))
    assert len(claims["hidden"]["anchors"]) == 5


def test_hashed_keeps_the_chain() -> None:
    """Each party in its place, the newest by its id."""
    full, own = line(True, False, True)
    claims = to_claims(hidden(full, "hashed", own))
    parties = [hop["application_id"] for hop in claims["delegation_chain"]]
    above = [alias("shop", name("app", at)) for at in (1, 2)]
    assert parties == [*above, full.application]
    assert claims["act"]["act"]["act"] == {"sub": above[0]}
    assert "hidden" not in claims


def test_alias_is_of_one_id_in_one_zone() -> None:
    """The same in all mandates of a zone, another elsewhere, and like no id."""
    ids = [name("app", 1), name("app", 2)]
    made = {alias(zone, each) for zone in ("shop", "bank") for each in ids}
    assert len(made) == 4
    assert all(len(each) == 24 and is_alias(each) for each in made)
    assert not any(map(is_alias, ids))
    assert alias("shop", ids[0]) in made


def test_alias_that_nobody_has_is_revoked() -> None:
    """Who is gone from the store lives no more."""
    full, own = line(True, True)
    with refused(Reason.MANDATE_REVOKED):
        revealed(hidden(full, "last", own), lambda _: None)


SPOILED: list[Any] = [
    None,
    {},
    {"hops": 1},
    {"hops": 0, "anchors": []},
    {"hops": True, "anchors": []},
    {"hops": 11, "anchors": []},
    {"hops": 1, "anchors": [""]},
    {"hops": 1, "anchors": ["h_x"] * 31},
    {"hops": 1, "anchors": [], "more": 1},
]


@pytest.mark.parametrize("value", SPOILED, ids=str)
def test_spoiled_claim_is_malformed(value: Any) -> None:
    """Never a mandate that lost an anchor or a hop on the way."""
    full, own = line(True, True)
    with refused(Reason.MANDATE_MALFORMED):
        from_claims(to_claims(hidden(full, "last", own)) | {"hidden": value}, "key_1")


def test_hidden_hops_and_their_count_agree() -> None:
    """CHAIN_MISMATCH when one is changed or left out; and no hops are hidden behind no chain."""
    full, own = line(True, True, True)
    claims = to_claims(hidden(full, "last", own))
    without = {name: value for name, value in claims.items() if name != "hidden"}
    for changed in (claims | {"hop_count": 1}, without):
        with refused(Reason.CHAIN_MISMATCH):
            from_claims(changed, "key_1")
    with refused(Reason.CHAIN_MISMATCH):
        from_claims(to_claims(mandate()) | {"hidden": claims["hidden"]}, "key_1")


@pytest.mark.parametrize("mode", MODES)
def test_hidden_hops_count(mode: Any) -> None:
    """For the limit of the zone and for that of a method."""
    full, own = line(True, True, True, True, True)
    shown = hidden(full, mode, own)
    judge(shown, TRUST, CALL, frozenset())
    with refused(Reason.HOPS_EXCEEDED):
        judge(shown, replace(TRUST, max_hops=4), CALL, frozenset())
    with refused(Reason.HOPS_EXCEEDED):
        rule = Rule("/m", CALL.audience, CALL.scopes, max_hops=4)
        judge(shown, TRUST, CALL, frozenset(), rule)


@pytest.mark.parametrize("mode", MODES)
def test_who_is_hidden_proves_nothing(mode: Any) -> None:
    """A method that asks for a party finds the subject and the holder only."""
    full, own = line(True, True)
    shown = hidden(full, mode, own)

    def through(*parties: str) -> Rule:
        return Rule("/m", CALL.audience, CALL.scopes, chain_must_include=frozenset(parties))

    judge(shown, TRUST, CALL, frozenset(), through(full.subject, full.application))
    with refused(Reason.CHAIN_MISMATCH):
        judge(shown, TRUST, CALL, frozenset(), through(full.chain[0].application))


def test_zone_hides_until_the_last_hidden_mandate_is_dead() -> None:
    """While it is told to, and for as long after as one may be alive."""
    zone = Zone("shop", TRUST.issuer)
    assert not hides(zone, 1000.0)
    assert all(hides(replace(zone, chain_visibility=mode), 1000.0) for mode in MODES)
    assert hides(replace(zone, hidden_until=1001), 1000.0)
    assert not hides(replace(zone, hidden_until=1000), 1000.0)
