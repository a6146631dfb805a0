"""The service itself: which way a question goes, and that no path ends in permission."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import grpc.aio
import pytest
from envoy.service.auth.v3.external_auth_pb2 import CheckRequest, CheckResponse
from envoy.service.auth.v3.external_auth_pb2_grpc import (
    AuthorizationStub,
    add_AuthorizationServicer_to_server,
)

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.testing import ThrowawayAuthority
from caracal_grpc.mesh.answers.answer import Allowed, Refused
from caracal_grpc.mesh.answers.render import LAST, render
from caracal_grpc.mesh.check import CheckServicer
from caracal_grpc.mesh.question import Question, read
from tests.mesh.asking import envoy, http, proxyless
from tests.mesh.desk import Desk, Waiting, allowed, desk, headers, refusal, told


class Scripted:
    """A way that answers what the test says, and keeps what it was asked."""

    def __init__(self, answer: Any) -> None:
        self.answer_with = answer
        self.asked: list[Question] = []

    async def answer(self, question: Question) -> Any:
        """What was scripted."""
        self.asked.append(question)
        if isinstance(self.answer_with, BaseException):
            raise self.answer_with
        if self.answer_with == "never":
            await asyncio.Event().wait()
        return self.answer_with


def scripted(answer: Any) -> Desk:
    """A desk with one way."""
    return desk(ways={"inbound": Scripted(answer)})


@pytest.mark.parametrize("direction", ["inbound", "outbound", "gateway"])
async def test_the_configuration_of_the_proxy_chooses_the_way(direction: str) -> None:
    """Each way is asked about its own requests only."""
    ways = {name: Scripted(Allowed()) for name in ("inbound", "outbound", "gateway")}
    kit = desk(ways=ways)
    assert allowed(await kit.ask(envoy(direction=direction)))
    assert {name for name, way in ways.items() if way.asked} == {direction}


@pytest.mark.parametrize("request_", [envoy(), proxyless()])
async def test_a_question_without_a_direction_is_inbound(request_: CheckRequest) -> None:
    """gRPC itself has no word for it."""
    way = Scripted(Allowed())
    await desk(ways={"inbound": way}).ask(request_)
    assert way.asked[0].direction == "inbound"


@pytest.mark.parametrize("direction", ["outbound", "sideways", "INBOUND", "in bound", "x" * 100])
async def test_a_way_that_is_not_there_is_refused(direction: str) -> None:
    """A word that nobody knows opens nothing."""
    kit = scripted(Allowed())
    assert not allowed(await kit.ask(envoy(direction=direction)))


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        "yes",
        True,
        CheckResponse(),
        Refused,
        Allowed(headers=(("x-bad", "a\r\nb: c"),)),
        Allowed(headers=(("X-Upper", "a"),)),
        Allowed(headers=((":path", "/admin"),)),
        Allowed(headers=(("host", "other.test"),)),
        Allowed(headers=(("", "a"),)),
        Allowed(headers=(("x-none", None),)),  # type: ignore[arg-type]
        Allowed(decision_id="a\nb"),
        Allowed(mandate="none"),  # type: ignore[arg-type]
        Allowed(remove=None),  # type: ignore[arg-type]
        RuntimeError("secret"),
        KeyError("secret"),
        TimeoutError(),
        CaracalError(Reason.POLICY_DENIED, "no"),
    ],
)
@pytest.mark.parametrize("shape", [envoy, http, proxyless])
async def test_whatever_goes_wrong_is_a_refusal(shape: Any, wrong: Any) -> None:
    """Also an answer that cannot be written; and the cause stays here."""
    response = await scripted(wrong).ask(shape())
    assert not allowed(response)
    assert response.status.code != 0
    assert b"secret" not in response.SerializeToString()


@pytest.mark.parametrize("answer", [Allowed(), Refused(CaracalError(Reason.POLICY_DENIED, "no"))])
def test_nothing_is_allowed_without_a_question(answer: Any) -> None:
    """Who could not be read cannot go on."""
    assert not allowed(render(None, answer))


async def test_the_empty_question_is_refused() -> None:
    """A proxy that says nothing gets nothing."""
    assert refusal(await scripted(Allowed()).ask(CheckRequest())).reason == "FIELD_INVALID"


@pytest.mark.parametrize("waits", [0.01, 0.0, -1.0])
async def test_an_answer_that_takes_too_long_is_a_refusal(waits: float) -> None:
    """The proxy gives up then, and what it makes of that is not ours to know."""
    servicer = CheckServicer({"inbound": Scripted("never")})
    response = await servicer.Check(envoy(), Waiting(waits))
    assert refusal(response).reason == "AUTHORITY_STALE"


@pytest.mark.parametrize("wrong", ["never", TimeoutError(), RuntimeError("secret")])
@pytest.mark.parametrize("shape", [envoy, http])
async def test_what_could_not_be_answered_is_recorded(shape: Any, wrong: Any) -> None:
    """And can be asked for by its id."""
    kit = scripted(wrong)
    response = await kit.servicer.Check(shape("/a/b?token=secret"), Waiting(0.01))
    (decision,) = kit.decisions
    assert (decision.method, decision.reason) == ("/a/b", "AUTHORITY_STALE")
    assert refusal(response).metadata["decision_id"] == decision.id
    assert told(response)["decision_id"] == decision.id


async def test_a_record_that_fails_changes_nothing() -> None:
    """It only writes down what is refused anyway."""

    def fails(*_: object) -> None:
        raise RuntimeError("secret")

    servicer = CheckServicer({}, record=fails)
    assert not allowed(await servicer.Check(envoy(), Waiting()))


async def test_what_is_set_is_not_removed() -> None:
    """A proxy sets first and removes then."""
    kit = scripted(Allowed(headers=(("x-a", "1"),), remove=frozenset({"x-a", "x-b"})))
    response = await kit.ask(http())
    assert headers(response) == {"x-a": "1"}
    assert list(response.ok_response.headers_to_remove) == ["x-b"]


def test_what_is_set_shows_nowhere() -> None:
    """It may be a credential."""
    assert "secret" not in repr(Allowed(headers=(("authorization", "secret"),)))


def test_an_answer_with_a_credential_is_not_kept() -> None:
    """What is written once for a mandate holds nothing but what is said of the mandate."""
    mandate = ThrowawayAuthority().grant(resource="resource://orders")
    lent = Allowed(headers=(("authorization", "Basic secret"),), mandate=mandate)
    plain = Allowed(mandate=mandate, introduces=True)
    for answer, kept in ((lent, False), (plain, True)):
        assert allowed(render(read(http()), answer))
        assert (LAST.get(mandate) is not None) == kept


def test_what_was_written_before_is_for_the_very_same() -> None:
    """Another answer under the same mandate is written anew."""
    mandate = ThrowawayAuthority().grant(resource="resource://orders")
    first = Allowed(mandate=mandate, introduces=True)
    for changed in (
        {},
        {"headers": (("baggage", "note=hi"),)},
        {"introduces": False},
        {"remove": frozenset({"x-note"})},
        {"decision_id": "aud_2"},
        {"cache_seconds": 3},
    ):
        render(read(http()), first)
        answer = first._replace(**changed)
        written, anew = render(read(http()), answer), answer._replace(mandate=replace(mandate))
        assert written == render(read(http()), anew)


async def test_it_answers_over_the_wire() -> None:
    """As the service of its name."""
    kit = desk()
    server = grpc.aio.server()
    add_AuthorizationServicer_to_server(kit.servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = AuthorizationStub(channel)
            assert allowed(await stub.Check(envoy(headers=kit.bearer()), timeout=10))
            assert not allowed(await stub.Check(envoy(), timeout=10))
    finally:
        await server.stop(None)


def test_a_deadline_is_never_over_before_it_began() -> None:
    """A proxy takes a deadline of nothing for none."""
    response = render(read(envoy()), Allowed(life=-3.0))
    assert headers(response)["grpc-timeout"] == "1m"
