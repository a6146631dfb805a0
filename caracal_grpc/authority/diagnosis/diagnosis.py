"""Everything that this replica stands on, looked at all at once, each look bounded in time."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Final

import caracal_grpc
from caracal_grpc.authority.diagnosis.check import Check, Finding, Question, failed
from caracal_grpc.authority.diagnosis.etcd import ETCD
from caracal_grpc.authority.diagnosis.ground import Ground, Parts
from caracal_grpc.authority.diagnosis.ledger import LEDGER
from caracal_grpc.authority.diagnosis.replica import AUTHORITY, TLS
from caracal_grpc.authority.diagnosis.zone import FEED, KEYS, POLICY
from caracal_grpc.authority.state.access import require_zone
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import Mandate

_log = logging.getLogger("caracal.diagnosis")

QUESTIONS: Final[tuple[Question[Ground], ...]] = (
    *AUTHORITY,
    *ETCD,
    *LEDGER,
    *FEED,
    *POLICY,
    *KEYS,
    *TLS,
)
"""Every check, in the order of the answer."""

PATIENCE: Final = 4.0
"""Seconds that one look may take; all look at the same time."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found, by which replica of which release, and its time, in Unix seconds."""

    checks: tuple[Check, ...]
    replica: str
    release: str
    time: float


class Diagnostics:
    """Looks at the parts of this replica."""

    def __init__(self, parts: Parts, questions: tuple[Question[Ground], ...] = QUESTIONS) -> None:
        self._parts = parts
        self._questions = questions

    async def diagnose(self, caller: Mandate, zone: str) -> Diagnosis:
        """Every check, for the zone or, when that is empty, the caller's.

        What does not work is told. Raises `ZONE_FORBIDDEN`, `OBJECT_NOT_FOUND`.
        """
        name = zone or caller.zone
        require_zone(caller, name)
        ground = Ground(self._parts, caller, self._parts.state.zone(name))
        checks = await asyncio.gather(*(_checked(each, ground) for each in self._questions))
        now = self._parts.clock.now()
        return Diagnosis(tuple(checks), self._parts.replicas.own, caracal_grpc.__version__, now)


async def _checked(question: Question[Ground], ground: Ground) -> Check:
    return Check(question.section, question.name, await _found(question, ground))


async def _found(question: Question[Ground], ground: Ground) -> Finding:
    """The finding; a look that fails or takes too long is one, too, and its cause is in the log."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await question.look(ground)
    except TimeoutError:
        return failed(f"no answer within {PATIENCE:g} s", question.advice)
    except CaracalError as error:
        return failed(f"{error.message} ({error.reason})", question.advice)
    except Exception as error:  # noqa: BLE001 - a diagnosis that fails tells nobody what does
        _log.exception("the check %s of %s failed", question.name, question.section)
        return failed(f"cannot be looked at: {type(error).__name__}", question.advice)
