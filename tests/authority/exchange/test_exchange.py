"""The exchange: what is granted, what is refused, and that the ledger has both."""

from __future__ import annotations

from typing import Any

import pytest

from caracal_grpc.authority.state.bucket import Bucket, Buckets
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import AUTHORITY_OWN_SCOPES
from caracal_grpc.core.peer import Peer
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.session import Session
from tests.support.clock import FakeClock
from tests.support.refusals import refused
from tests.support.rig import MAX_STALENESS, Rig
from tests.support.shop import CARACAL, ORDERS, PAYMENTS, STOCK, rego, shop


async def test_grant_is_what_was_asked_for(rig: Rig) -> None:
    """A mandate names its resource, its scopes, its holder and the entry that explains it."""
    issued = await rig.exchange("agent", ORDERS, "orders:place")
    mandate, entry = issued.mandate, await rig.last()
    assert (mandate.resource, mandate.scopes) == (ORDERS, {"orders:place"})
    assert mandate.application == mandate.subject == rig.application("agent")
    assert mandate.session == mandate.root_session == rig.standing("agent")
    assert (mandate.use, mandate.chain, mandate.ancestors) == ("resource", (), ())
    assert (entry.id, entry.jti, entry.decision) == (mandate.audit_id, mandate.jti, "allow")
    assert entry.granted_scopes == ("orders:place",)
    assert entry.expires_at == mandate.expires_at


async def test_empty_request_asks_for_all_that_policy_grants(rig: Rig) -> None:
    """Without scopes an exchange gives what policy gives, and no more."""
    issued = await rig.exchange("agent", ORDERS)
    assert issued.mandate.scopes == {"orders:place", "orders:cancel"}


async def test_mandate_for_the_authority_itself_is_of_another_use(rig: Rig) -> None:
    """`resource://caracal` gives a mandate that only the authority accepts."""
    mandate = await rig.caller("agent")
    assert (mandate.use, mandate.resource) == ("session", "https://a.example/zones/shop")
    assert "caracal:feed:watch" in mandate.scopes
    assert "caracal:zones:write" not in mandate.scopes


async def refusal_of(rig: Rig, reason: Reason, name: str, *asked: str, **more: Any) -> Any:
    """Expects a refusal whose entry is the newest and is named by the refusal; returns both."""
    with refused(reason) as seen:
        await rig.exchange(name, *asked, **more)
    entry = await rig.last()
    assert (entry.decision, entry.reason, entry.jti) == ("deny", reason.value, "")
    assert seen.metadata["audit_id"] == entry.id
    return entry, seen


async def test_scope_that_policy_does_not_give_is_denied(rig: Rig) -> None:
    """POLICY_DENIED, with the policy's version and reasons."""
    entry, seen = await refusal_of(rig, Reason.POLICY_DENIED, "agent", PAYMENTS, "payments:charge")
    assert entry.policy_version == seen.metadata["policy_version"] != ""
    assert seen.metadata["policy_reasons"] == "scope_not_granted:payments:charge"
    assert entry.policy_reasons == ("scope_not_granted:payments:charge",)


async def test_application_without_any_grant_is_denied(rig: Rig) -> None:
    """Nothing is allowed by default."""
    entry, _ = await refusal_of(rig, Reason.POLICY_DENIED, "orders", STOCK)
    assert entry.requested_scopes == ()


async def test_scope_that_needs_an_approval_is_held(rig: Rig) -> None:
    """STEP_UP_REQUIRED."""
    await refusal_of(rig, Reason.STEP_UP_REQUIRED, "agent", PAYMENTS, "payments:refund")


@pytest.mark.parametrize("value", ["payments:refund", '["payments:refund"]', "true"])
async def test_caller_cannot_approve_its_own_step_up(rig: Rig, value: str) -> None:
    """What a caller writes into the context is a fact about its call, never an approval."""
    context = {"approved_scopes": value}
    with refused(Reason.STEP_UP_REQUIRED):
        await rig.exchange("agent", PAYMENTS, "payments:refund", context=context)


async def test_scope_that_the_resource_does_not_have(rig: Rig) -> None:
    """SCOPE_INSUFFICIENT, naming what is missing."""
    _, seen = await refusal_of(rig, Reason.SCOPE_INSUFFICIENT, "agent", ORDERS, "orders:burn")
    assert seen.metadata["missing"] == "orders:burn"


async def test_scope_above_the_ceiling(rig: Rig) -> None:
    """CEILING_EXCEEDED, naming the session, whatever policy would say."""
    _, seen = await refusal_of(rig, Reason.CEILING_EXCEEDED, "bounded", ORDERS, "orders:cancel")
    assert seen.metadata["session"] == rig.standing("bounded")


async def test_ceiling_narrows_an_empty_request(rig: Rig) -> None:
    """Asking for all gives what lies under the ceiling."""
    issued = await rig.exchange("bounded", ORDERS)
    assert issued.mandate.scopes == {"orders:place"}
    assert [step.by for step in (await rig.last()).narrowing] == [
        ORDERS,
        rig.standing("bounded"),
        "policy",
    ]


async def test_resource_that_does_not_exist(rig: Rig) -> None:
    """OBJECT_NOT_FOUND."""
    _, seen = await refusal_of(rig, Reason.OBJECT_NOT_FOUND, "agent", "resource://nothing")
    assert seen.metadata["kind"] == "resource"


async def test_session_that_is_not_known(rig: Rig) -> None:
    """SESSION_NOT_ACTIVE."""
    session = "ses_01h455vb4pex5vsknk084sn02q"
    await refusal_of(rig, Reason.SESSION_NOT_ACTIVE, "agent", ORDERS, session=session)


async def test_session_of_another_reads_as_unknown(rig: Rig) -> None:
    """Nobody can tell another's session from one that does not exist."""
    texts = []
    for session in (rig.standing("orders"), "ses_01h455vb4pex5vsknk084sn02q"):
        _, seen = await refusal_of(rig, Reason.SESSION_NOT_ACTIVE, "agent", ORDERS, session=session)
        texts.append(str(seen.error))
    assert texts[0] == texts[1]


async def test_nobody_acts_at_the_authority_for_another(rig: Rig) -> None:
    """ACTOR_FORBIDDEN: what is done at the authority is done in one's own name."""
    token = (await rig.exchange("agent", ORDERS)).token
    await refusal_of(rig, Reason.ACTOR_FORBIDDEN, "orders", CARACAL, subject_token=token)


async def test_zone_without_policy_denies_all(rig: Rig) -> None:
    """NO_ACTIVE_POLICY."""
    records = await rig.store.list("shop", "policies")
    revision = await rig.store.delete(records.records[0].key)
    await rig.state.reached(revision)
    await refusal_of(rig, Reason.NO_ACTIVE_POLICY, "agent", ORDERS)


async def test_mandate_over_its_budget_is_not_minted(rig: Rig) -> None:
    """MANDATE_TOO_LARGE, and its refusal is in the ledger with all that was asked for."""
    scopes = [f"scope:{number:0>100}" for number in range(60)]
    zone = shop(policy=rego('{"decision": "allow"}'))
    zone["resources"].append({"name": "resource://wide", "scopes": scopes})
    await rig.apply(zone)
    entry, _ = await refusal_of(rig, Reason.MANDATE_TOO_LARGE, "agent", "resource://wide", *scopes)
    assert len(entry.requested_scopes) == 60


async def test_application_of_another_zone_is_unknown(rig: Rig) -> None:
    """CLIENT_AUTH_FAILED with the true secret, in the wrong zone."""
    request = rig.request("operator", CARACAL, zone="caracal")
    with refused(Reason.CLIENT_AUTH_FAILED):
        await rig.authority.exchange.issue(_moved(request, zone="shop"))
    assert (await rig.last()).reason == "CLIENT_AUTH_FAILED"


def _moved(request: Any, **changes: Any) -> Any:
    from dataclasses import replace

    return replace(request, **changes)


@pytest.mark.parametrize(
    ("name", "changes", "told"),
    [
        ("agent", {"secret": "wrong"}, {"audit_id"}),
        ("agent", {"secret": ""}, {"audit_id"}),
        ("agent", {"application": "app_01h455vb4pex5vsknk084sn02q"}, {"audit_id"}),
        ("orders", {}, {"audit_id"}),
        ("agent", {"zone": "nowhere"}, set()),
    ],
    ids=["wrong secret", "no secret", "unknown", "disabled", "unknown zone"],
)
async def test_failed_authentication_tells_nothing(
    rig: Rig, name: str, changes: dict[str, str], told: set[str]
) -> None:
    """Unknown and disabled application and wrong secret read the same, down to the metadata.

    In an unknown zone nothing is recorded; which zones there are is public.
    """
    await rig.authority.revocations.revoke(rig.operator, "shop", rig.application("orders"), "bad")
    with refused(Reason.CLIENT_AUTH_FAILED) as seen:
        await rig.authority.exchange.issue(_moved(rig.request(name, ORDERS), **changes))
    assert str(seen.error) == (
        "CLIENT_AUTH_FAILED: the application is unknown or disabled, or its proof is wrong; "
        "check the profile"
    )
    assert set(seen.metadata) == told


async def test_disabled_application_cannot_authenticate(rig: Rig) -> None:
    """CLIENT_AUTH_FAILED at once, and for ever after the revocation itself is forgotten."""
    await rig.authority.revocations.revoke(rig.operator, "shop", rig.application("agent"), "bad")
    for seconds in (0, 3 * 3600):
        await rig.advance(seconds)
        await refusal_of(rig, Reason.CLIENT_AUTH_FAILED, "agent", ORDERS)


async def test_failed_authentications_are_limited(rig: Rig) -> None:
    """RATE_LIMITED, saying when to come back; who authenticates is not held up by it."""
    few = Buckets(lambda: Bucket(rig.clock, rate=2, burst=3, refusal="too many"))
    rig.authority.clients._failures = few
    request = _moved(rig.request("agent", ORDERS), secret="wrong")
    for _ in range(3):
        with refused(Reason.CLIENT_AUTH_FAILED):
            await rig.authority.exchange.issue(request)
    with refused(Reason.RATE_LIMITED) as seen:
        await rig.authority.exchange.issue(request)
    assert seen.error is not None
    assert seen.error.retry_after == 0.5
    await rig.exchange("agent", ORDERS)
    await rig.advance(0.5)
    with refused(Reason.CLIENT_AUTH_FAILED):
        await rig.authority.exchange.issue(request)


async def test_failed_authentications_of_one_zone_hide_none_of_another(rig: Rig) -> None:
    """Nor do those of zones that are none: each zone has its own entries of a flood."""
    few = Buckets(lambda: Bucket(rig.clock, rate=1, burst=2, refusal="too many"))
    rig.authority.clients._failures = few
    await rig.apply(shop(name="mall"))
    request = _moved(rig.request("agent", ORDERS), secret="wrong")
    for zone in ("shop", "nowhere", "elsewhere"):
        for _ in range(4):
            with pytest.raises(CaracalError):
                await rig.authority.exchange.issue(_moved(request, zone=zone))
    before = len(await rig.entries("mall"))
    with refused(Reason.CLIENT_AUTH_FAILED):
        await rig.authority.exchange.issue(_moved(request, zone="mall"))
    assert len(await rig.entries("mall")) == before + 1


async def test_stale_authority_decides_nothing(rig: Rig) -> None:
    """AUTHORITY_STALE while the store is out of sight, and by itself again when it is back."""
    await rig.mirror.close()
    rig.clock.advance(MAX_STALENESS + 1)
    with refused(Reason.AUTHORITY_STALE):
        await rig.exchange("agent", ORDERS)
    await rig.mirror.start()
    await rig.fresh()
    await rig.exchange("agent", ORDERS)


async def test_no_mandate_without_its_entry(rig: Rig) -> None:
    """AUDIT_UNAVAILABLE when the ledger cannot record, for a grant and for a refusal alike."""
    before = len(await rig.entries())
    await rig.ledger._writer.close()
    with refused(Reason.AUDIT_UNAVAILABLE):
        await rig.exchange("agent", ORDERS, "orders:place")
    with refused(Reason.AUDIT_UNAVAILABLE):
        await rig.exchange("agent", PAYMENTS, "payments:charge")
    assert len(await rig.entries()) == before


async def test_every_refusal_names_its_entry(rig: Rig) -> None:
    """Entries of refusals carry who asked, for what, and in which request."""
    with refused(Reason.POLICY_DENIED):
        peer = Peer("ipv4:x")
        await rig.exchange("agent", PAYMENTS, "payments:charge", request_id="r-1", peer=peer)
    entry = await rig.last()
    assert (entry.application, entry.application_name) == (rig.application("agent"), "agent")
    assert (entry.resource, entry.requested_scopes) == (PAYMENTS, ("payments:charge",))
    assert (entry.request_id, entry.peer) == ("r-1", "ipv4:x")
    assert entry.session == rig.standing("agent")


def test_bucket_never_holds_more_than_its_burst() -> None:
    """A long pause earns one burst, not more."""
    clock = FakeClock()
    bucket = Bucket(clock, rate=1, burst=2, refusal="too many")
    clock.advance(3600)
    bucket.take()
    bucket.take()
    with refused(Reason.RATE_LIMITED):
        bucket.take()


def test_standing_session_never_expires(clock: FakeClock) -> None:
    """A session without an end is active until it is ended."""
    session = Session("ses_1", "shop", "app_1", "app_1", "ses_1", 0, kind="standing")
    assert session.state(clock.now()) == "active"


async def test_no_ceiling_makes_an_edge_deaf(rig: Rig) -> None:
    """What every application may ask of the authority lies under each ceiling, and no more."""
    mandate = await rig.caller("bounded")
    assert mandate.scopes == set(AUTHORITY_OWN_SCOPES)
