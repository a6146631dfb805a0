"""Release by a proof: of the system that the approval names, of now, of this very approval."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from caracal_grpc.authority.approvals.approvals import Decided
from caracal_grpc.core.approval import Approval
from caracal_grpc.core.limits import DEFAULT_APPROVAL_TTL
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto import base64url
from caracal_grpc.crypto.system import SystemIds
from tests.authority.approvals.desk import guarded_shop, held, kept, reject, state_of, use
from tests.support.foreign import ForeignSigner, jwks
from tests.support.refusals import refused
from tests.support.rig import Rig

BANK = ForeignSigner.generate("ES256")
MALLORY = ForeignSigner.generate("ES256")
ISSUER, AUDIENCE = "https://bank.example", "caracal-approvals"
MAX_AGE = 120


def proof_system(name: str = "bank", **changes: Any) -> dict[str, Any]:
    """A proof system as a zone declares it."""
    keys = jwks(BANK).decode()
    known = {"issuer": ISSUER, "audience": AUDIENCE, "jwks": keys, "max_age_seconds": MAX_AGE}
    return {"name": name, **known, **changes}


async def trust(rig: Rig, *systems: dict[str, Any], **approval: Any) -> Rig:
    """A zone in which a proof of the bank releases refunds."""
    declared = list(systems) or [proof_system()]
    await rig.apply(
        guarded_shop({"proof_system": "bank", "reviews": 2, **approval}, proof_systems=declared)
    )
    return rig


def claims_of(rig: Rig, approval: Approval, **changes: Any) -> dict[str, Any]:
    """What a proof says; `None` takes a claim away."""
    now = int(rig.clock.now())
    plain = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + 60,
        "nonce": approval.nonce,
        "approval_id": approval.id,
        "binding": approval.held.binding,
    }
    return {name: value for name, value in (plain | changes).items() if value is not None}


async def release(rig: Rig, approval: Approval, proof: str, by: str = "agent") -> Decided:
    """What who brings a proof is answered."""
    caller = await rig.caller(by)
    return await rig.authority.approvals.release(caller, "shop", approval.id, proof)


async def test_proof_releases_whatever_reviews_it_needs(any_rig: Rig) -> None:
    """By the requester itself: the proof decides; recorded without it."""
    rig = await trust(any_rig)
    approval = await held(rig)
    proof = BANK.token(claims_of(rig, approval))
    decided = await release(rig, approval, proof)
    assert decided.state == "approved"
    (vote,) = decided.approval.votes
    assert (vote.subject, vote.application) == ("proof:bank", rig.application("agent"))
    entry = await rig.last()
    assert (entry.id, entry.type, entry.decision) == (decided.audit_id, "approval.release", "done")
    assert entry.details["proof_system"] == "bank"
    assert proof not in str(entry)
    assert proof not in str((await rig.store.list()).records)
    assert (await use(rig, approval)).mandate.approval == approval.id


async def test_nonce_is_random_and_long(rig: Rig) -> None:
    """32 bytes, another for each approval, and none where no proof can release."""
    await trust(rig)
    first, second = await held(rig), await held(rig, ttl=60)
    assert len(base64url.decode(first.nonce)) == 32
    assert first.nonce != second.nonce


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "another issuer": ({"iss": "https://bank.example/"}, "issuer"),
    "no issuer": ({"iss": None}, "issuer"),
    "another audience": ({"aud": "caracal"}, "audience"),
    "two audiences": ({"aud": [AUDIENCE, "other"]}, "audience"),
    "old": ({"iat": 1_790_000_000 - MAX_AGE - 6}, "age"),
    "of the future": ({"iat": 1_790_000_000 + 60}, "age"),
    "expired": ({"exp": 1_790_000_000 - 6}, "age"),
    "no time": ({"iat": None}, "form"),
    "no end": ({"exp": None}, "form"),
    "another nonce": ({"nonce": "x" * 43}, "nonce"),
    "no nonce": ({"nonce": None}, "nonce"),
    "a nonce that is no text": ({"nonce": 7}, "nonce"),
    "an odd nonce": ({"nonce": "\ud800"}, "nonce"),
    "another approval": ({"approval_id": "apr_01h455vb4pex5vsknk084sn02q"}, "approval"),
    "no approval": ({"approval_id": None}, "approval"),
    "another binding": ({"binding": "y" * 43}, "binding"),
    "no binding": ({"binding": None}, "binding"),
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_wrong_proof_releases_nothing(rig: Rig, wrong: str) -> None:
    """PROOF_INVALID with what is wrong, recorded."""
    await trust(rig)
    approval = await held(rig)
    changes, cause = WRONG[wrong]
    with refused(Reason.PROOF_INVALID) as seen:
        await release(rig, approval, BANK.token(claims_of(rig, approval, **changes)))
    entry = await rig.last()
    assert seen.metadata == {"cause": cause, "audit_id": entry.id}
    assert (entry.type, entry.decision, entry.reason) == (
        "approval.release",
        "deny",
        "PROOF_INVALID",
    )
    assert await state_of(rig, approval) == "pending"


async def test_proof_of_a_stranger_releases_nothing(rig: Rig) -> None:
    """A key of the same name, of another, a text that is no proof."""
    await trust(rig)
    approval = await held(rig)
    claims = claims_of(rig, approval)
    forged = {
        MALLORY.token(claims): "signature",
        MALLORY.token(claims, kid="k9"): "signature",
        BANK.token(claims)[:-4] + "AAAA": "signature",
        BANK.token(claims, alg="none"): "form",
        BANK.token(claims, typ="at+jwt"): "form",
        "a.b.c": "form",
        "": "form",
    }
    for proof, cause in forged.items():
        with refused(Reason.PROOF_INVALID) as seen:
            await release(rig, approval, proof)
        assert seen.metadata["cause"] == cause
    assert await state_of(rig, approval) == "pending"


async def test_proof_of_one_approval_does_not_release_another(rig: Rig) -> None:
    """Of the same application for the same resource."""
    await trust(rig)
    first, second = await held(rig), await held(rig, ttl=60)
    proof = BANK.token(claims_of(rig, first))
    with refused(Reason.PROOF_INVALID) as seen:
        await release(rig, second, proof)
    assert seen.metadata["cause"] == "approval"


async def test_proof_system_must_be_the_one_that_is_named(rig: Rig) -> None:
    """Another of the zone signs as well as it likes."""
    other = proof_system("post", issuer="https://post.example", jwks=jwks(MALLORY).decode())
    await trust(rig, proof_system(), other)
    approval = await held(rig)
    claims = claims_of(rig, approval, iss="https://post.example")
    with refused(Reason.PROOF_INVALID):
        await release(rig, approval, MALLORY.token(claims))


async def test_approval_without_a_proof_system_is_for_reviewers(rig: Rig) -> None:
    """FIELD_INVALID, also when the zone no longer declares the one that it names."""
    await rig.apply(guarded_shop(proof_systems=[proof_system()]))
    approval = await held(rig)
    assert approval.nonce == ""
    with refused(Reason.FIELD_INVALID) as seen:
        await release(rig, approval, BANK.token(claims_of(rig, approval, nonce="")))
    assert seen.fields == ["id"]
    await trust(rig)
    named = await held(rig)
    await rig.apply(guarded_shop())
    with refused(Reason.FIELD_INVALID):
        await release(rig, named, BANK.token(claims_of(rig, named)))


async def test_ended_approval_is_not_released(rig: Rig) -> None:
    """Rejected, expired, used: by no proof, however good."""
    await trust(rig)
    first = await held(rig)
    proof = BANK.token(claims_of(rig, first))
    await reject(rig, first)
    with refused(Reason.APPROVAL_REJECTED):
        await release(rig, first, proof)
    second = await held(rig)
    await release(rig, second, BANK.token(claims_of(rig, second)))
    await use(rig, second)
    with refused(Reason.APPROVAL_CONSUMED):
        await release(rig, second, BANK.token(claims_of(rig, second)))
    third = await held(rig)
    await rig.advance(DEFAULT_APPROVAL_TTL)
    with refused(Reason.APPROVAL_EXPIRED):
        await release(rig, third, BANK.token(claims_of(rig, third)))


async def test_released_again_is_no_error(rig: Rig) -> None:
    """And no second vote."""
    await trust(rig)
    approval = await held(rig)
    proof = BANK.token(claims_of(rig, approval))
    await release(rig, approval, proof)
    again = await release(rig, approval, proof)
    assert (again.state, len(again.approval.votes)) == ("approved", 1)
    await reject(rig, approval)
    assert await state_of(rig, approval) == "rejected"


async def test_proof_system_that_tells_no_keys(rig: Rig) -> None:
    """ISSUER_UNAVAILABLE, which says nothing of the proof; nothing is recorded of it."""
    silent = proof_system(jwks="", jwks_uri="https://127.0.0.1:9/keys")
    await trust(rig, silent)
    approval = await held(rig)
    before = len(await rig.entries())
    caller = await rig.caller("ann")
    with refused(Reason.ISSUER_UNAVAILABLE) as seen:
        await rig.authority.approvals.release(
            caller, "shop", approval.id, BANK.token(claims_of(rig, approval))
        )
    assert seen.metadata["issuer"] == "bank"
    assert len(await rig.entries()) == before + 1
    assert (await kept(rig, approval)).votes == ()


async def test_release_is_of_the_zone(rig: Rig) -> None:
    """ZONE_FORBIDDEN, and OBJECT_NOT_FOUND for what is not there."""
    await trust(rig)
    approval = await held(rig)
    ann, proof = await rig.caller("ann"), BANK.token(claims_of(rig, approval))
    with refused(Reason.ZONE_FORBIDDEN):
        await rig.authority.approvals.release(replace(ann, zone="mall"), "shop", approval.id, proof)
    with refused(Reason.OBJECT_NOT_FOUND):
        await release(rig, replace(approval, id=SystemIds().new("apr")), proof)
