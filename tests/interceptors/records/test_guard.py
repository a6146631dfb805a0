"""What guards have recorded: every refusal and cut, of calls let in a share, and never a token."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import grpc
import pytest

from caracal_grpc.core.edge_decision import EdgeDecision
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import DEFAULT_MAX_STALENESS
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.rule import Rule
from caracal_grpc.crypto.system import SystemIds
from caracal_grpc.interceptors.context.inbound import Inbound
from caracal_grpc.interceptors.guard.gate import Admission
from caracal_grpc.interceptors.records.recorder import Recorder
from caracal_grpc.interceptors.testing import guarded_server, guarded_server_sync
from tests.interceptors.conftest import Eventually
from tests.support.clock import FakeClock
from tests.support.echo import Journal, echo_rules, path, sync_handlers
from tests.support.echo_aio import aio_handlers
from tests.support.echo_client import EchoClient, bearing, ending
from tests.support.keys import RESOURCE, Mint, chain

REQUEST_ID = ("x-request-id", "r-1")


@dataclass
class Place:
    """A guarded server of either kind, what its guard had recorded, and a client."""

    mint: Mint
    feed: Any
    decisions: list[EdgeDecision]
    client: EchoClient
    journal: Journal


@pytest.fixture(params=["aio", "sync"])
async def serve(request: pytest.FixtureRequest) -> AsyncIterator[Callable[..., Any]]:
    """Starts a guarded echo server."""
    async with AsyncExitStack() as closing:

        async def start(**how: Any) -> Place:
            mint, journal = Mint(), Journal()
            handlers = (aio_handlers if request.param == "aio" else sync_handlers)(journal)
            options = {"rules": echo_rules(), "max_staleness": DEFAULT_MAX_STALENESS, **how}
            serving: Any = guarded_server if request.param == "aio" else guarded_server_sync
            entered = serving(
                lambda server: server.add_generic_rpc_handlers((handlers,)),
                authority=mint.authority,
                **options,
            )
            if request.param == "aio":
                server = await closing.enter_async_context(entered)
            else:
                server = entered.__enter__()
                leave = partial(asyncio.to_thread, entered.__exit__, None, None, None)
                closing.push_async_callback(leave)
            closing.callback(journal.freed.set)
            channel = await closing.enter_async_context(grpc.aio.insecure_channel(server.address))
            return Place(mint, server.feed, server.decisions, EchoClient(channel), journal)

        yield start


def only(place: Place) -> EdgeDecision:
    """The one decision there is."""
    (found,) = place.decisions
    return found


async def test_refusal_says_who_what_and_why(serve: Callable[..., Any]) -> None:
    """All that the mandate tells, whose entry explains it, and the request id."""
    place = await serve()
    mandate = place.mint.mandate(**chain(2), scopes=frozenset())
    metadata = [*bearing(token := place.mint.token(mandate)), REQUEST_ID]
    await place.client.refusal("Unary", metadata)
    found = only(place)
    assert (found.decision, found.reason) == ("deny", "SCOPE_INSUFFICIENT")
    assert (found.method, found.resource) == (path("Unary"), RESOURCE)
    assert (found.jti, found.mandate_audit_id) == (mandate.jti, mandate.audit_id)
    assert (found.application_id, found.subject) == (mandate.application, mandate.subject)
    assert (found.session_id, found.request_id) == (mandate.session, "r-1")
    assert found.time_ms > 0
    assert not any(part in repr(found) for part in token.split("."))
    found.require("decision")


@pytest.mark.parametrize(
    ("name", "metadata", "reason", "resource"),
    [
        ("Unary", [], "MANDATE_MISSING", RESOURCE),
        ("Chat", [], "MANDATE_MISSING", RESOURCE),
        ("Collect", [("authorization", "Bearer a.b.c")], "MANDATE_MALFORMED", RESOURCE),
        ("Expand", [("authorization", "Bearer a.b.c")], "MANDATE_MALFORMED", RESOURCE),
        ("Undeclared", [], "METHOD_NOT_DECLARED", ""),
    ],
)
async def test_refusal_without_a_mandate_is_recorded(
    serve: Callable[..., Any], name: str, metadata: list[Any], reason: str, resource: str
) -> None:
    """Nobody is named where nobody was proven; a request id is made where there is none."""
    place = await serve()
    await place.client.refusal(name, metadata)
    found = only(place)
    assert (found.reason, found.method, found.resource) == (reason, path(name), resource)
    assert (found.jti, found.application_id, found.subject, found.session_id) == ("", "", "", "")
    assert found.request_id.startswith("req_")
    found.require("decision")


async def test_stale_guard_has_its_refusals_recorded(serve: Callable[..., Any]) -> None:
    """They are to be delivered when the authority is back."""
    place = await serve()
    place.feed.go_stale()
    await place.client.refusal("Unary", bearing(place.mint.token()))
    assert only(place).reason == "AUTHORITY_STALE"


async def test_cut_of_a_stream_is_recorded(
    serve: Callable[..., Any], eventually: Eventually
) -> None:
    """Once, with the reason of the cut, though it was let in before."""
    place = await serve(sampling_rate=1.0)
    mandate = place.mint.mandate()
    call = await place.client.open("Chat", bearing(place.mint.token(mandate)), "hi")
    assert only(place).decision == "allow"
    place.feed.revoke(mandate.jti)
    assert (await ending(call)).reason is Reason.MANDATE_REVOKED
    await eventually(lambda: len(place.decisions) > 1)
    allowed, cut = place.decisions
    assert (allowed.jti, cut.jti) == (mandate.jti, mandate.jti)
    assert (allowed.reason, cut.reason) == ("", "MANDATE_REVOKED")
    assert allowed.id != cut.id


@pytest.mark.parametrize(("rate", "kept"), [(0.0, 0), (1.0, 4)])
async def test_calls_let_in_are_recorded_by_the_rate(
    serve: Callable[..., Any], rate: float, kept: int
) -> None:
    """In every cardinality; public methods decide nothing."""
    place = await serve(sampling_rate=rate)
    for name in ("Unary", "Collect", "Expand", "Chat"):
        await place.client.call(name, bearing(place.mint.token()))
    assert await place.client.call("Open")
    assert [each.decision for each in place.decisions] == ["allow"] * kept


def admission(method: str = "/a.B/C", **changes: Any) -> Admission:
    """A call that a guard has read."""
    made = Admission(method, Rule(method, RESOURCE, frozenset({"a:b"})), Inbound(()))
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def recorder(kept: list[EdgeDecision], rate: float, **how: Any) -> Recorder:
    """One that keeps in a list."""
    return Recorder(kept.append, rate, FakeClock(), SystemIds(), **how)


def test_a_share_is_a_share() -> None:
    """By the seed, exactly those whose draw is below the rate; refusals all."""
    kept: list[EdgeDecision] = []
    keeps = recorder(kept, 0.25, draw=random.Random(7).random)  # noqa: S311 - no secret
    draws = random.Random(7)  # noqa: S311 - no secret
    for _ in range(1_000):
        keeps.allowed(admission())
    assert len(kept) == sum(draws.random() < 0.25 for _ in range(1_000))
    assert 200 < len(kept) < 300
    for _ in range(100):
        keeps.refused(admission(), CaracalError(Reason.POLICY_DENIED, "no"))
    assert sum(each.reason == "POLICY_DENIED" for each in kept) == 100


def test_without_a_rate_nothing_is_drawn() -> None:
    """A guard does not even ask."""
    assert not recorder([], 0.0).samples
    assert recorder([], 0.001).samples


@pytest.mark.parametrize("bad", ["/a\n\x1b[31m", "/" + "m" * 100_000, "/\ud800", "/é\u2028"])
def test_what_callers_wrote_is_bounded_and_clean(bad: str) -> None:
    """Whatever a path or a subject is, the authority takes the decision."""
    kept: list[EdgeDecision] = []
    mandate = Mint().mandate()
    subject = type("Said", (), {f.name: getattr(mandate, f.name) for f in fields(Mandate)})()
    subject.subject = bad
    reading = type("Reading", (), {"mandate": subject})()
    keeps = recorder(kept, 1.0)
    keeps.refused(admission(bad, reading=reading), CaracalError(Reason.POLICY_DENIED, "no"))
    (found,) = kept
    found.require("decision")
    assert len(found.method) <= 512


async def test_recorder_that_fails_changes_no_verdict(
    serve: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Neither a yes nor a no; it is in the log."""

    class Broken:
        samples = True

        def allowed(self, admission: Admission) -> None:
            """Fails."""
            raise RuntimeError("fell over")

        def refused(self, admission: Admission, error: CaracalError) -> str:
            """Fails."""
            raise RuntimeError("fell over")

    place = await serve(recorder=Broken())
    assert await place.client.call("Unary", bearing(place.mint.token()))
    assert (await place.client.refusal("Unary")).reason is Reason.MANDATE_MISSING
    assert caplog.text.count("RuntimeError: fell over") == 2
