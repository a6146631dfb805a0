"""The integrity sweep: this replica reads the whole ledger of every zone, again and again.

What appends lose to it is bounded, for it sleeps in proportion to the time that each part took. A
zone with a finding takes no more entries, so nothing is decided in it, until this replica is
started again: what was tampered with is not mended by what is added to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Final

from caracal_grpc.authority.audit.integrity import Integrities, Integrity
from caracal_grpc.authority.audit.witnesses import signed_root
from caracal_grpc.authority.keys.signers import Signers, ledger_issuer
from caracal_grpc.authority.state.access import require_zone
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock
from caracal_grpc.crypto.ledger_key import verify_ed25519
from caracal_grpc.ledger.checks.finding import Finding
from caracal_grpc.ledger.checks.sweep import Sweep
from caracal_grpc.ledger.notes.note import NoteError, VerifierKey
from caracal_grpc.ledger.port import Ledger

_log = logging.getLogger("caracal.ledger")

EVERY: Final = 3_600.0
"""Seconds between the end of a sweep of all zones and the next."""
PACE: Final = 30.0
"""How much longer it sleeps than it works: so it has at most 1/31 of what appends want."""
BREATH: Final = 0.001
"""Seconds that it sleeps at least between two parts."""
_TOLD: Final = 10
"""Findings of one sweep that are logged; all are counted, and shown."""


class Sweeping:
    """Sweeps every zone that has a ledger. Start it on a running loop."""

    def __init__(self, ledger: Ledger, state: State, signers: Signers, clock: Clock) -> None:
        self._ledger = ledger
        self._state = state
        self._signers = signers
        self._clock = clock
        self._newest: dict[str, tuple[int, bytes]] = {}
        self._running: asyncio.Task[None] | None = None
        self.integrities = Integrities(clock.now())

    def start(self) -> None:
        """Begins the first sweep."""
        self._running = asyncio.create_task(self._run(), name="integrity sweep")
        self._running.add_done_callback(_log_end)

    async def close(self) -> None:
        """Stops, behind the part that it is at."""
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running

    def integrity(self, caller: Mandate, zone: str) -> Integrity:
        """What is known of a zone; raises `ZONE_FORBIDDEN`, `OBJECT_NOT_FOUND`."""
        require_zone(caller, zone)
        ledger_issuer(self._state, zone)
        return self.integrities.of(zone)

    def ready(self, zone: str) -> bool:
        """Whether decisions in a zone can be recorded: the ledger answers, and is what it was."""
        return self._ledger.answers and self.integrities.ready(zone)

    async def turn(self) -> None:
        """Sweeps every zone once; one that cannot be read is left for the next time."""
        zones = {each.name for each in self._state.zones()}
        try:
            zones |= set(await self._ledger.zones())
        except CaracalError as error:
            _log.warning("the ledgers of removed zones are not swept: %s", error)
        for zone in sorted(zones):
            try:
                await self.sweep(zone)
            except CaracalError as error:
                _log.warning("the ledger of zone %s is not swept: %s", zone, error)

    async def sweep(self, zone: str) -> Integrity:
        """Checks the whole ledger of a zone, and shuts it at the first finding.

        Raises `AUDIT_UNAVAILABLE` when it cannot be read, `OBJECT_NOT_FOUND` when nobody signs it.
        """
        signer = self._signers(zone)
        sweep = await self._begun(zone, VerifierKey(signer.name, signer.public))
        told = 0
        while True:
            began = self._clock.monotonic()
            more = await self._ledger.sweep(sweep)
            took = self._clock.monotonic() - began
            told = await self._tell(zone, sweep, told)
            if not more:
                break
            await asyncio.sleep(rest(took))
        self.integrities.ended(zone, sweep.size, self._clock.now())
        if not sweep.findings.kept and sweep.head is not None:
            self._newest[zone] = sweep.head.size, sweep.head.root
        return self.integrities.of(zone)

    async def _begun(self, zone: str, key: VerifierKey) -> Sweep:
        """A sweep that knows what was seen of the zone: by witnesses, and by the one before."""
        sweep = Sweep(zone, key, verify_ed25519)
        for each in await self._ledger.cosigned(zone):
            try:
                sweep.expect(*signed_root(each, key))
            except NoteError as error:
                text = f"the checkpoint that {each.witness} cosigned {error}"
                sweep.findings.add(None, "signature", text)
        if zone in self._newest:
            sweep.expect(*self._newest[zone])
        return sweep

    async def _tell(self, zone: str, sweep: Sweep, told: int) -> int:
        """Shuts the zone for what was found since the last time; how much was found by now."""
        found = sweep.findings.kept
        for each in found[told:]:
            self.integrities.counted[zone, each.kind] += 1
        for each in found[told:_TOLD]:
            _log.error("the ledger of zone %s: %s", zone, _said(each))
        if len(found) > told:
            self.integrities.found(zone, sweep.findings.in_order())
            await self._ledger.quarantine(zone, _said(found[0]))
        return len(found)

    async def _run(self) -> None:
        while True:
            await self.turn()
            await asyncio.sleep(EVERY)


def rest(took: float) -> float:
    """Seconds to sleep after a part that took so many."""
    return max(BREATH, PACE * took)


def _said(finding: Finding) -> str:
    return f"{finding.kind}: {finding.text}"


def _log_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _log.critical("ledgers are not swept any more, restart", exc_info=task.exception())
