"""Telling webhooks of new approvals: pushed (RFC 8935), signed, in order, until they are taken.

What a webhook has not heard of is in the approvals themselves, so nothing is lost by a restart. It
hears of each at least once: again when this replica is lost between its answer and the note of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from typing import Final

from caracal_grpc.authority.approvals.book import ApprovalBook
from caracal_grpc.authority.keys.keyring import Keyring
from caracal_grpc.authority.state.ownership import Ownership
from caracal_grpc.authority.state.places import delivery_place
from caracal_grpc.authority.state.state import State
from caracal_grpc.authority.webhooks.event import held_event
from caracal_grpc.authority.webhooks.undelivered import Line, Undelivered
from caracal_grpc.core.approval import Approval
from caracal_grpc.core.backoff import wait_before
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.webhook import Webhook
from caracal_grpc.crypto import security_events
from caracal_grpc.outbound.port import Outbound, OutboundError

_log = logging.getLogger("caracal.webhooks")

CONTENT_TYPE: Final = "application/secevent+jwt"
LOOK: Final = 1.0
"""Seconds between looks for what there is to tell, and for whom nobody tells any more."""
FIRST_WAIT: Final = 0.5
MOST_WAIT: Final = 60.0
MAX_AT_ONCE: Final = 32
"""Webhooks of all zones that are told at the same time."""


class Deliveries:
    """Tells the webhooks that this replica owns: one task each while it has something to hear."""

    def __init__(
        self,
        state: State,
        book: ApprovalBook,
        keyring: Keyring,
        owners: Ownership,
        outbound: Outbound,
        clock: Clock,
    ) -> None:
        self._state = state
        self._book = book
        self._keyring = keyring
        self._owners = owners
        self._outbound = outbound
        self._undelivered = Undelivered(state, clock)
        self._room = asyncio.Semaphore(MAX_AT_ONCE)
        self._workers: dict[Line, asyncio.Task[None]] = {}
        self._looking: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to tell."""
        self._looking = asyncio.create_task(self._look(), name="webhook deliveries")
        self._looking.add_done_callback(_log_end)

    async def close(self) -> None:
        """Stops; who is not told hears of it from another replica, or after the next start."""
        self._undelivered.close()
        tasks = [*self._workers.values(), *([self._looking] if self._looking else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self) -> None:
        while True:
            self._undelivered.news.clear()
            for line in self._undelivered.lines():
                place = delivery_place(line.zone, line.webhook)
                if line not in self._workers and self._owners.is_free(place):
                    self._begin(line)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK):
                    await self._undelivered.news.wait()

    def _begin(self, line: Line) -> None:
        name = f"webhook {line.webhook} of {line.zone}"
        task = self._workers[line] = asyncio.create_task(self._tell_all(line), name=name)
        task.add_done_callback(lambda done: self._ended(line, done))

    def _ended(self, line: Line, task: asyncio.Task[None]) -> None:
        del self._workers[line]
        if not task.cancelled() and task.exception() is not None:
            _log.error("webhook %s of zone %s: begun again", *_of(line), exc_info=task.exception())

    async def _tell_all(self, line: Line) -> None:
        """Tells what there is, one after the other; what fails holds back what comes after it."""
        failures, taken = 0, ""
        while (approval := self._undelivered.first(line)) is not None:
            webhook = self._webhook(line)
            try:
                place = delivery_place(line.zone, line.webhook)
                if webhook is None or not await self._owners.take(place):
                    return
                if taken != approval.id:
                    await self._tell(line, webhook, approval)
                    taken = approval.id  # from here on only the note of it can fail
                await self._note(line, approval)
                failures = 0
            except (CaracalError, OutboundError) as error:
                failures += 1
                _log.warning("webhook %s of zone %s, %s: %s", *_of(line), approval.id, error)
                await asyncio.sleep(_wait(failures))

    async def _tell(self, line: Line, webhook: Webhook, approval: Approval) -> None:
        """One try; raises `OutboundError` unless the webhook took it."""
        zone = self._state.zone(line.zone)
        claims = held_event(zone, webhook, approval)
        token = security_events.mint(self._keyring.signing_key(zone.name), claims)
        async with self._room:
            await self._outbound.post(webhook.url, token.encode("ascii"), CONTENT_TYPE)

    async def _note(self, line: Line, approval: Approval) -> None:
        try:
            await self._book.change(line.zone, approval.id, lambda each: each.told(line.webhook))
        except CaracalError as error:
            if error.reason is not Reason.OBJECT_NOT_FOUND:  # then nobody need hear of it
                raise

    def _webhook(self, line: Line) -> Webhook | None:
        named = {each.name: each for each in self._state.webhooks(line.zone)}
        return named.get(line.webhook)


def _log_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _log.critical("webhooks are not told any more, restart", exc_info=task.exception())


def _of(line: Line) -> tuple[str, str]:
    return line.webhook, line.zone


def _wait(failures: int) -> float:
    jitter = random.random()  # noqa: S311 - jitter, no secret
    return wait_before(failures, jitter, first=FIRST_WAIT, most=MOST_WAIT)
