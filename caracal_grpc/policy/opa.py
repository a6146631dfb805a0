"""Rego by a remote OPA server, asked over HTTP by its Data API.

It decides by modules that users wrote, and only as long as it proves that it decides by the very
version that is asked: its bundle must have that version as its revision (`opa_bundle`). The
built-in module needs no server, so a zone can always be had back by grants; and what is checked or
tried before it decides is checked and tried here, by the engine that is given.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from caracal_grpc.core.decision import Decision, parse_result
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ids import require_slug
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.outbound.port import Outbound, OutboundError
from caracal_grpc.policy.bundle import Bundle
from caracal_grpc.policy.circuit import Circuit, CircuitOpenError
from caracal_grpc.policy.grants import is_built_in
from caracal_grpc.policy.opa_answer import DATA_PATH, OpaAnswer, read_answer
from caracal_grpc.policy.port import Engine, Explanation, Policy, Report
from caracal_grpc.policy.thread import closed

MAX_ANSWER: Final = 262_144
"""Bytes of an answer: more than the largest decision that can be used."""
MAX_AT_ONCE: Final = 64
MAX_WAITING: Final = 1_000
"""Questions that are with the server, and those that wait for their turn."""

_ZONE: Final = "{zone}"
_FAULTS: Final = (OutboundError, TimeoutError, ValueError)
_MAX_CIRCUITS: Final = 10_000


@dataclass(frozen=True, slots=True)
class OpaSettings:
    """Where the server is: a URL, `{zone}` in it being the zone's name. `timeout` is in seconds."""

    url: str
    timeout: float
    token: str = field(default="", repr=False)

    def target(self, question: str) -> str:
        """The URL to ask `question`, which is JSON; raises `POLICY_FAILED` for one of no zone."""
        base = self.url.rstrip("/") + DATA_PATH
        return base.replace(_ZONE, _zone_of(question)) if _ZONE in base else base


class OpaServer:
    """Asks the server, so much at a time; one that fails again and again is left alone a while."""

    def __init__(self, settings: OpaSettings, outbound: Outbound, clock: Clock) -> None:
        self._settings = settings
        self._outbound = outbound
        self._clock = clock
        self._turns = asyncio.Semaphore(MAX_AT_ONCE)
        self._asking = 0
        self._circuits: OrderedDict[str, Circuit] = OrderedDict()

    async def ask(self, question: str) -> OpaAnswer:
        """What the server answers; raises `POLICY_FAILED` for anything else, whatever it is."""
        target = self._settings.target(question)
        try:
            with self._circuit(target).passing(*_FAULTS):
                return await self._asked(target, question)
        except CircuitOpenError as exc:
            text = "the policy server fails again and again; check that it runs"
            raise _failed(text, exc.wait) from exc
        except _FAULTS as exc:
            text = "the policy server gave no answer that can be used; check that it runs"
            raise _failed(text, 1.0) from exc

    async def close(self) -> None:
        """Lets go of connections."""
        await self._outbound.close()

    async def _asked(self, target: str, question: str) -> OpaAnswer:
        if self._asking >= MAX_AT_ONCE + MAX_WAITING:
            raise _failed("too many questions wait for the policy server", 1.0)
        body = f'{{"input":{question}}}'.encode()
        now, timeout = asyncio.get_running_loop().time(), self._settings.timeout
        kind, token = "application/json", self._settings.token
        self._asking += 1
        try:
            await self._turn(now + timeout / 2)
            try:
                async with asyncio.timeout_at(now + timeout):
                    answer = await self._outbound.ask(target, body, kind, MAX_ANSWER, token)
            finally:
                self._turns.release()
            return read_answer(answer)
        finally:
            self._asking -= 1

    async def _turn(self, until: float) -> None:
        """Waits for a turn, so long that the server has time to answer.

        None is no fault of its own: it was not asked, and may be that of another zone.
        """
        try:
            async with asyncio.timeout_at(until):
                await self._turns.acquire()
        except TimeoutError as exc:
            raise _failed("too many questions wait for the policy server", 1.0) from exc

    def _circuit(self, target: str) -> Circuit:
        """That of one URL: the server of one zone may fail, and that of another not."""
        circuit = self._circuits.setdefault(target, Circuit(self._clock))
        self._circuits.move_to_end(target)
        if len(self._circuits) > _MAX_CIRCUITS:
            self._circuits.popitem(last=False)
        return circuit


class OpaPolicy:
    """A version that the server must be serving to be asked."""

    def __init__(self, version: str, server: OpaServer) -> None:
        self.version = version
        self._server: OpaServer | None = server

    async def decide(self, question: str) -> Decision:
        """The answer to `question`; raises `POLICY_FAILED` for anything but a usable answer of the
        server, by this version.
        """
        if self._server is None:
            raise closed()
        answer = await self._server.ask(question)
        if self.version not in answer.revisions:
            raise _failed(self._otherwise(answer), 1.0)
        return parse_result(answer.result)

    async def explain(self, question: str) -> Explanation:
        """The answer, without the rules behind it: the server does not tell."""
        try:
            return Explanation(await self.decide(question))
        except CaracalError as refusal:
            return Explanation(None, failure=refusal.message)

    async def close(self) -> None:
        """Every later decision fails."""
        self._server = None

    def _otherwise(self, answer: OpaAnswer) -> str:
        if not answer.revisions:
            return f"the policy server has no bundle; give it that of {self.version}"
        return f"the policy server decides by another version; give it the bundle of {self.version}"


class OpaEngine:
    """The engine `opa` (`policy.port.Engine`).

    `local` judges what is new, and decides by the built-in module.
    """

    def __init__(self, local: Engine, server: OpaServer) -> None:
        self._local = local
        self._server = server

    async def compile(self, bundle: Bundle) -> Policy:
        """The policy of `bundle`; raises `FIELD_INVALID` and `POLICY_FAILED` as `local` does."""
        policy = await self._local.compile(bundle)
        if is_built_in(bundle.modules):
            return policy
        await policy.close()
        return OpaPolicy(bundle.version, self._server)

    async def validate(self, bundle: Bundle, tests: Mapping[str, str]) -> Report:
        """What is wrong with `bundle`, as `local` finds it."""
        return await self._local.validate(bundle, tests)

    async def close(self) -> None:
        """Ends what it runs."""
        await self._local.close()
        await self._server.close()


def _zone_of(question: str) -> str:
    """The zone that a question is of: a slug, which leads to no other server."""
    try:
        return require_slug("zone", json.loads(question)["zone"])
    except (CaracalError, LookupError, TypeError, ValueError) as exc:
        raise _failed("the question names no zone, so no policy server is known", 1.0) from exc


def _failed(text: str, wait: float) -> CaracalError:
    return CaracalError(Reason.POLICY_FAILED, text, retry_after=wait)
