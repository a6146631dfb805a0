"""Deciding by a remote OPA server: what it says is done, and whatever is odd is a no.

The behaviours run against recorded exchanges, on a real HTTP server, everywhere; and against a real
server besides where `opa` is on the PATH. Without one nothing is skipped: the exchanges, in the
form that OPA documents, are what runs then.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.outbound.http import HttpOutbound
from caracal_grpc.policy.bundle import Bundle
from caracal_grpc.policy.engines import engine
from caracal_grpc.policy.grants import grants_data, grants_modules
from caracal_grpc.policy.opa import MAX_ANSWER, OpaEngine, OpaPolicy, OpaServer, OpaSettings
from tests.policy.documents import CHARGE, grant
from tests.policy.opa_client import TIMEOUT, asking, question
from tests.policy.opa_server import BUNDLE, DATA_PATH, KINDS, OTHER, Recorded, recorded, serving
from tests.support.clock import FakeClock
from tests.support.refusals import refused
from tests.support.web import Answer


@pytest.fixture
async def web() -> AsyncIterator[Recorded]:
    """A server of recorded exchanges, to be tampered with."""
    server = Recorded()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture(params=KINDS)
async def policy(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[OpaPolicy]:
    """The active version, asked of a server that has its bundle."""
    async with serving(request.param, tmp_path, BUNDLE) as url, asking(url) as server:
        yield OpaPolicy(BUNDLE.version, server)


@pytest.mark.parametrize(
    ("say", "outcome", "reasons", "scopes"),
    [
        ("allow", "allow", ("said",), (CHARGE,)),
        ("deny", "deny", ("not_today",), None),
        ("step_up", "step_up", (), None),
    ],
)
async def test_answer_is_what_the_server_decides(
    policy: OpaPolicy, say: str, outcome: str, reasons: tuple[str, ...], scopes: Any
) -> None:
    """Each outcome, by the modules and the data of the bundle."""
    decision = await policy.decide(question(say))
    assert (decision.outcome, decision.reasons, decision.scopes) == (outcome, reasons, scopes)


@pytest.mark.parametrize("say", ["nothing", "perhaps"])
async def test_undefined_and_odd_results_are_a_no(policy: OpaPolicy, say: str) -> None:
    """POLICY_FAILED, as with any engine."""
    with refused(Reason.POLICY_FAILED):
        await policy.decide(question(say))


@pytest.mark.parametrize("kind", KINDS)
async def test_other_version_is_not_asked_for_this_one(kind: str, tmp_path: Path) -> None:
    """POLICY_FAILED, naming the version whose bundle the server must have."""
    async with serving(kind, tmp_path, OTHER) as url, asking(url) as server:
        with refused(Reason.POLICY_FAILED) as seen:
            await OpaPolicy(BUNDLE.version, server).decide(question("allow"))
        assert BUNDLE.version in str(seen.error)
        assert (await OpaPolicy(OTHER.version, server).decide(question("allow"))).outcome == "allow"


async def test_question_is_sent_as_it_is(web: Recorded) -> None:
    """The input is the very text that is recorded here, with the token of the settings."""
    async with asking(web.url + "/", token="t-1") as server:
        await OpaPolicy(BUNDLE.version, server).decide(question("allow"))
    (asked,) = web.requests
    assert (asked.method, asked.path) == ("POST", DATA_PATH)
    assert asked.body == b'{"input":' + question("allow").encode() + b"}"
    assert asked.headers["authorization"] == "Bearer t-1"
    assert "t-1" not in repr(OpaSettings(web.url, TIMEOUT, "t-1"))


async def test_each_zone_has_its_own_server(web: Recorded) -> None:
    """`{zone}` in the URL is the zone that the question is of, and nothing but a name."""
    path = f"/acme{DATA_PATH}"
    web.answers[path] = Answer(recorded(BUNDLE.version, "deny"))
    async with asking(web.url + "/{zone}") as server:
        policy = OpaPolicy(BUNDLE.version, server)
        assert (await policy.decide(question("allow"))).outcome == "deny"
        for zone in ("../etc", "a@evil", "", None, 5):
            with refused(Reason.POLICY_FAILED):
                await policy.decide(question("allow", zone=zone))
    assert [each.path for each in web.requests] == [path]


def body(**changes: Any) -> bytes:
    """An allowance, changed."""
    return json.dumps({**json.loads(recorded(BUNDLE.version, "allow")), **changes}).encode()


Tamper = Callable[[Recorded], Any]


def told(answer: Answer) -> Tamper:
    """A server that answers so."""

    def tamper(web: Recorded) -> None:
        web.answers[DATA_PATH] = answer

    return tamper


def redirected(web: Recorded) -> None:
    """A server that leads elsewhere, where the answer would be yes."""
    web.answers["/yes"] = Answer(body())
    web.answers[DATA_PATH] = Answer(b"", 307, {"Location": f"{web.url}/yes"})


FAULTS: dict[str, Tamper] = {
    "500": told(Answer(body(), 500)),
    "404": told(Answer(body(), 404)),
    "201": told(Answer(body(), 201)),
    "empty": told(Answer(b"")),
    "no json": told(Answer(b"<html>allow</html>")),
    "cut json": told(Answer(body()[:-2])),
    "a list": told(Answer(b"[" + body() + b"]")),
    "not utf-8": told(Answer(b"\xff" + body())),
    "not a number": told(Answer(body().replace(b'"payments:charge"', b"NaN"))),
    "twice": told(Answer(body()[:-1] + b',"result":{"decision":"allow"}}')),
    "too deep": told(Answer(b'{"result":' + b"[" * 100_000 + b"]" * 100_000 + b"}")),
    "too long": told(Answer(body(more="x" * MAX_ANSWER))),
    "compressed": told(Answer(body(), headers={"Content-Encoding": "gzip"})),
    "cut": told(Answer(body(), headers={"Content-Length": "100000"})),
    "redirect": redirected,
    "no provenance": told(Answer(body(provenance=None))),
    "no bundle": told(Answer(body(provenance={"version": "1.4.2"}))),
    "odd bundles": told(Answer(body(provenance={"bundles": [BUNDLE.version]}))),
    "odd revision": told(Answer(body(provenance={"bundles": {"a": {"revision": 5}}}))),
    "no result": told(Answer(recorded(BUNDLE.version, ""))),
    "null": told(Answer(body(result=None))),
    "true": told(Answer(body(result=True))),
    "more than is known": told(Answer(body(result={"decision": "allow", "also": 1}))),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_anything_odd_is_a_no(web: Recorded, fault: str) -> None:
    """POLICY_FAILED, whose text holds nothing of what was sent or answered."""
    FAULTS[fault](web)
    async with asking(web.url) as server:
        with refused(Reason.POLICY_FAILED) as seen:
            await OpaPolicy(BUNDLE.version, server).decide(question("allow"))
    assert web.url not in str(seen.error)
    assert web.count("/yes") == 0


async def test_older_server_tells_its_only_revision(web: Recorded) -> None:
    """The form of before bundles had names."""
    web.answers[DATA_PATH] = Answer(body(provenance={"revision": BUNDLE.version}))
    async with asking(web.url) as server:
        decision = await OpaPolicy(BUNDLE.version, server).decide(question("allow"))
    assert decision.outcome == "allow"


async def test_nobody_there_is_a_no() -> None:
    """A refused connection."""
    async with asking("http://127.0.0.1:1") as server:
        with refused(Reason.POLICY_FAILED):
            await OpaPolicy(BUNDLE.version, server).decide(question("allow"))


async def test_server_that_hangs_is_not_waited_for(web: Recorded) -> None:
    """The timeout holds for the whole of it, and says no."""
    web.hold(DATA_PATH)
    async with asyncio.timeout(TIMEOUT), asking(web.url, timeout=0.05) as server:
        with refused(Reason.POLICY_FAILED):
            await OpaPolicy(BUNDLE.version, server).decide(question("allow"))


async def test_body_that_never_ends_is_not_waited_for() -> None:
    """A server that begins to answer and stops half-way."""
    let_go, ended = asyncio.Event(), asyncio.Event()

    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + body())
        await let_go.wait()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        ended.set()

    server = await asyncio.start_server(half, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with asyncio.timeout(TIMEOUT), asking(f"http://127.0.0.1:{port}", timeout=0.5) as asked:
        with refused(Reason.POLICY_FAILED):
            await OpaPolicy(BUNDLE.version, asked).decide(question("allow"))
        let_go.set()
        await ended.wait()
    server.close()
    await server.wait_closed()


async def test_server_elsewhere_needs_to_be_allowed(web: Recorded) -> None:
    """The rules for addresses hold for it, too."""
    server = OpaServer(OpaSettings(web.url, TIMEOUT), HttpOutbound(), FakeClock())
    with refused(Reason.POLICY_FAILED):
        await OpaPolicy(BUNDLE.version, server).decide(question("allow"))
    await server.close()
    assert web.requests == []


async def test_many_at_once_are_all_answered(web: Recorded) -> None:
    """More than are with the server at a time wait for their turn."""
    async with asking(web.url) as server:
        policy = OpaPolicy(BUNDLE.version, server)
        asked = [policy.decide(question("allow")) for _ in range(200)]
        assert {each.outcome for each in await asyncio.gather(*asked)} == {"allow"}


async def test_answer_is_explained_as_far_as_it_is_known(policy: OpaPolicy) -> None:
    """The decision without rules; one that cannot be used is told."""
    explained = await policy.explain(question("deny"))
    assert explained.decision is not None
    assert (explained.decision.outcome, explained.rules) == ("deny", ())
    failed = await policy.explain(question("perhaps"))
    assert failed.decision is None
    assert "cannot be used" in failed.failure


async def test_engine_asks_the_server_about_modules_of_users_only(web: Recorded) -> None:
    """Grants are decided here, so that a zone can be had back whatever becomes of the server."""
    async with asking(web.url) as server:
        remote = OpaEngine(engine(), server)
        own = await remote.compile(Bundle.of(grants_modules(), grants_data([grant()])))
        assert (await own.decide(question("deny"))).outcome == "allow"
        assert web.requests == []
        users = await remote.compile(BUNDLE)
        assert users.version == BUNDLE.version
        assert (await users.decide(question("deny"))).outcome == "deny"
        await users.close()
        with refused(Reason.POLICY_FAILED):
            await users.decide(question("deny"))
        await own.close()
        await remote.close()


async def test_engine_judges_what_is_new_by_itself(web: Recorded) -> None:
    """A server that runs anything gets only what any engine here would run."""
    async with asking(web.url) as server:
        remote = OpaEngine(engine(), server)
        hostile = Bundle.of(
            {"a.rego": 'package caracal.authz\nresult := http.send({"url": "x"})'}, {}
        )
        with refused(Reason.FIELD_INVALID):
            await remote.compile(hostile)
        await remote.close()
