"""Mandates that are bound to a certificate: asked for, recorded, explained, and passed on."""

from __future__ import annotations

from caracal_grpc.core.reason import Reason
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import CARACAL, ORDERS, PAYMENTS

MINE, THEIRS = "A" * 43, "B" * 43


async def test_bound_mandate_is_recorded_and_explained_as_such(rig: Rig) -> None:
    """The entry names the certificate, and so does the outcome of the explanation."""
    mandate = (await rig.exchange("agent", ORDERS, binding=MINE)).mandate
    assert rig.operator is not None
    explained = await rig.authority.explaining.explain(rig.operator, "shop", jti=mandate.jti)
    assert mandate.binding == MINE
    assert explained.entry.details["bound_to"] == MINE
    assert explained.steps[-1].text == f"granted, bound to the certificate {MINE}"


async def test_unbound_mandate_says_nothing_of_certificates(rig: Rig) -> None:
    """Neither in its claims nor in its entry."""
    mandate = (await rig.exchange("agent", ORDERS)).mandate
    assert mandate.binding is None
    assert "bound_to" not in (await rig.last()).details


async def test_mandate_for_the_authority_is_bound_too(rig: Rig) -> None:
    """One mechanism for every use."""
    mandate = (await rig.exchange("agent", CARACAL, binding=MINE)).mandate
    assert (mandate.use, mandate.binding) == ("session", MINE)


async def test_refusal_tells_the_certificate_that_was_shown(rig: Rig) -> None:
    """Whoever asks is recorded with what it had in its hand."""
    with refused(Reason.POLICY_DENIED):
        await rig.exchange("agent", PAYMENTS, "payments:charge", binding=MINE)
    assert (await rig.last()).details["bound_to"] == MINE


async def test_request_id_is_of_one_certificate(rig: Rig) -> None:
    """CONFLICT for the same id from another connection, and from one that asks for no binding."""
    first = await rig.exchange("agent", ORDERS, request_id="r1", binding=MINE)
    again = await rig.exchange("agent", ORDERS, request_id="r1", binding=MINE)
    assert again.token == first.token
    for binding in (THEIRS, ""):
        with refused(Reason.CONFLICT):
            await rig.exchange("agent", ORDERS, request_id="r1", binding=binding)


async def test_bound_subject_token_is_exchanged_for_a_mandate_bound_to_the_actor(rig: Rig) -> None:
    """The actor's own key takes the place of the subject's; the lineage tells both."""
    first = await rig.exchange("agent", ORDERS, "orders:place", binding=MINE)
    second = await rig.exchange("orders", PAYMENTS, subject_token=first.token, binding=THEIRS)
    assert (second.mandate.binding, second.mandate.hops) == (THEIRS, 1)
    assert second.mandate.subject == rig.application("agent")


async def test_bound_subject_token_never_becomes_an_unbound_mandate(rig: Rig) -> None:
    """SUBJECT_TOKEN_INVALID, also to who holds it: bound authority only passes into bound."""
    first = await rig.exchange("agent", ORDERS, "orders:place", binding=MINE)
    for actor, resource in (("orders", PAYMENTS), ("agent", ORDERS)):
        with refused(Reason.SUBJECT_TOKEN_INVALID) as seen:
            await rig.exchange(actor, resource, subject_token=first.token)
        assert seen.metadata["cause"] == "BINDING_MISMATCH"


async def test_unbound_subject_token_is_exchanged_for_a_bound_mandate(rig: Rig) -> None:
    """Binding may begin at any hop."""
    first = await rig.exchange("agent", ORDERS, "orders:place")
    second = await rig.exchange("orders", PAYMENTS, subject_token=first.token, binding=MINE)
    assert second.mandate.binding == MINE
