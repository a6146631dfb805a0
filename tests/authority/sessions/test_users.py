"""Sessions for users: whom an ID token names, and what they may."""

from __future__ import annotations

from typing import Any

import pytest

from caracal_grpc.authority.sessions.start import SessionStart
from caracal_grpc.core.limits import MAX_USER_SUBJECT
from caracal_grpc.core.mandate import Hop
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.user import User
from tests.authority.sessions.desk import start
from tests.authority.sessions.logins import Login, zone
from tests.support.foreign import ForeignSigner
from tests.support.idp import identity_provider
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import ORDERS, PAYMENTS, shop


async def test_user_of_an_id_token(login: Login) -> None:
    """The session speaks for them, under an id that is of issuer and subject."""
    token = login.corp.id_token("alice")
    session = await login.start(token)
    assert session.user == User(login.corp.issuer, "alice")
    assert session.user.name == "corp/alice"
    assert (session.subject, session.subject_type) == (session.user.id, "user")
    assert session.subject.startswith("usr_")
    entry = await login.rig.last()
    assert entry.type == "session.start"
    assert (entry.details["for"], entry.details["issuer"]) == (session.subject, login.corp.issuer)
    assert token.rpartition(".")[2] not in repr(entry)


async def test_same_subject_of_two_issuers_is_two_users(login: Login) -> None:
    """And what one may the other may not."""
    first = await login.start(login.corp.id_token("alice"))
    second = await login.start(login.partner.id_token("alice"))
    assert first.subject != second.subject
    assert (await login.rig.exchange("agent", ORDERS, session=first.id)).mandate
    with refused(Reason.POLICY_DENIED):
        await login.rig.exchange("agent", ORDERS, session=second.id)
    bob = await login.start(login.partner.id_token("bob"))
    assert (await login.rig.exchange("agent", ORDERS, session=bob.id)).mandate


async def test_mandate_of_a_user(login: Login) -> None:
    """Its subject is the user and its one hop the application; plain grants give it nothing."""
    session = await login.start(login.corp.id_token("alice"))
    mandate = (await login.rig.exchange("agent", ORDERS, session=session.id)).mandate
    assert (mandate.subject, mandate.subject_type) == (session.subject, "user")
    assert mandate.user == session.user
    assert mandate.chain == (Hop(login.rig.application("agent"), session.id),)
    assert mandate.scopes == {"orders:place"}
    assert session.subject in mandate.anchors
    with refused(Reason.POLICY_DENIED):
        await login.rig.exchange("agent", ORDERS, "orders:cancel", session=session.id)


async def test_user_goes_on_to_the_next_service(login: Login) -> None:
    """On behalf of the application that speaks for them; the grants there name them, too."""
    for subject, reason in (("alice", None), ("bob", Reason.POLICY_DENIED)):
        session = await login.start(login.corp.id_token(subject))
        shown = await login.rig.exchange("agent", ORDERS, session=session.id)
        asked = login.rig.exchange("orders", PAYMENTS, "payments:charge", subject_token=shown.token)
        if reason:
            with refused(reason):
                await asked
            continue
        mandate = (await asked).mandate
        assert (mandate.subject, mandate.user) == (session.subject, session.user)
        named = [login.rig.application(name) for name in ("agent", "orders")]
        assert [hop.application for hop in mandate.chain] == named


async def test_bad_tokens_name_their_cause(login: Login) -> None:
    """Each as it is wrong; nothing is started."""
    corp, now = login.corp, int(login.rig.clock.now())
    caller = await login.rig.caller("agent")
    before = login.rig.state.records("shop", "sessions").keys() | set()
    stranger = ForeignSigner.generate("ES256", "strange")
    cases = {
        corp.id_token(aud="other"): "AUDIENCE_MISMATCH",
        corp.id_token(aud=["caracal", "other"]): "AUDIENCE_MISMATCH",
        corp.id_token(iss="https://eve.example"): "ISSUER_MISMATCH",
        corp.id_token(iss=corp.issuer + "/"): "ISSUER_MISMATCH",
        corp.id_token(iss=None): "ISSUER_MISMATCH",
        corp.id_token(iss=login.partner.issuer): "KEY_UNKNOWN",
        corp.id_token(exp=now - 60): "MANDATE_EXPIRED",
        corp.id_token(iat=now + 60): "MANDATE_NOT_YET_VALID",
        corp.id_token(iat=now - 700): "MANDATE_LIFETIME_EXCEEDED",
        corp.id_token(iat=None): "MANDATE_MALFORMED",
        stranger.token(corp.claims()): "KEY_UNKNOWN",
        ForeignSigner.generate(number=1).token(corp.claims()): "MANDATE_SIGNATURE_INVALID",
        "a.b.c": "MANDATE_MALFORMED",
    }
    for token, cause in cases.items():
        with refused(Reason.SUBJECT_TOKEN_INVALID) as seen:
            await start(login.rig, caller, id_token=token)
        assert seen.metadata["cause"] == cause
    assert login.rig.state.records("shop", "sessions").keys() == before


@pytest.mark.parametrize(
    "subject",
    ["", "x" * (MAX_USER_SUBJECT + 1), "a\nb", "a\x00", "\ud800", "\u202e", 7, None, ["a"]],
)
async def test_odd_subject_is_refused(rig: Rig, subject: Any) -> None:
    """It is shown to people, and written into records and rules."""
    async with identity_provider(rig.clock.now) as corp:
        await rig.apply(zone(corp=corp.declared()))
        with refused(Reason.SUBJECT_TOKEN_INVALID) as seen:
            await start(rig, id_token=corp.id_token(subject))
        assert seen.metadata["cause"] == "MANDATE_MALFORMED"


async def test_any_text_that_can_be_shown_is_a_subject(login: Login) -> None:
    """Up to its longest; slashes and stars are no wildcards of anything."""
    for subject in ("x" * MAX_USER_SUBJECT, "auth0|123", "alice@example.com", "Zoë 李", "a/b", "*"):
        session = await login.start(login.partner.id_token(subject))
        assert session.user is not None
        assert session.user.subject == subject
        with refused(Reason.POLICY_DENIED):
            await login.rig.exchange("agent", ORDERS, session=session.id)


async def test_token_is_good_again(login: Login) -> None:
    """A start may be tried again, and one login be worth several sessions, while it is young."""
    token = login.corp.id_token(nonce="n", jti="j")
    first, second = await login.start(token), await login.start(token)
    assert (first.subject, first.id != second.id) == (second.subject, True)
    await login.rig.advance(606)
    assert await login.refused(token) == "MANDATE_EXPIRED"
    assert await login.refused(login.corp.id_token(iat=int(login.rig.clock.now()) - 606)) == (
        "MANDATE_LIFETIME_EXCEEDED"
    )


async def test_issuer_that_is_down_harms_no_other(login: Login) -> None:
    """ISSUER_UNAVAILABLE, which is no word about the token."""
    await login.corp.web.stop()
    with refused(Reason.ISSUER_UNAVAILABLE) as seen:
        await login.start(login.corp.id_token())
    assert seen.metadata["issuer"] == "corp"
    assert await login.start(login.partner.id_token("bob"))
    await login.corp.web.start()
    await login.rig.advance(1)
    assert await login.start(login.corp.id_token())


async def test_rotation_refuses_no_login(login: Login) -> None:
    """Keys that nobody announced are asked for."""
    await login.start(login.corp.id_token())
    login.corp.rotate()
    assert await login.start(login.corp.id_token())


async def test_zones_trust_their_own_issuers(login: Login) -> None:
    """A token of an issuer of one zone is nothing in another."""
    await login.rig.apply(shop(name="other"))
    caller = await login.rig.caller("agent", "other")
    asked = SessionStart("other", id_token=login.corp.id_token())
    with refused(Reason.SUBJECT_TOKEN_INVALID) as seen:
        await login.rig.authority.sessions.start(caller, asked)
    assert seen.metadata["cause"] == "ISSUER_MISMATCH"


async def test_issuer_that_is_removed_is_trusted_no_more(login: Login) -> None:
    """From the next start on; so is one whose audience was changed."""
    await login.start(login.corp.id_token())
    await login.rig.apply(zone(corp=login.corp.declared(audience="other")))
    assert await login.refused(login.corp.id_token()) == "AUDIENCE_MISMATCH"
    await login.rig.apply(zone(partner=login.partner.declared()))
    assert await login.refused(login.corp.id_token()) == "ISSUER_MISMATCH"
