"""What every part of the authority stands on."""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from caracal_grpc.authority.keys.keyring import Keyring
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.ports import Clock, Ids
from caracal_grpc.ledger.port import Ledger
from caracal_grpc.outbound.port import Outbound
from caracal_grpc.policy.port import Engine
from caracal_grpc.store.port import Store


class Closable(Protocol):
    """What ends with the authority."""

    def close(self) -> Awaitable[None] | None:
        """Ends it."""


P = TypeVar("P", bound=Closable)


@dataclass(frozen=True, slots=True)
class Ground:
    """What every part stands on, and what is to be closed with the authority."""

    store: Store
    state: State
    keyring: Keyring
    ledger: Ledger
    recorder: Recorder
    engine: Engine
    """Runs the policies that do not decide: checks, tests, trials, shadows."""
    deciding: Engine
    """Runs the policies that decide."""
    outbound: Outbound
    clock: Clock
    ids: Ids
    closing: AsyncExitStack = field(default_factory=AsyncExitStack)

    def owned(self, part: P) -> P:
        """`part`, which ends with the authority, before what was opened earlier and it may use."""

        async def end() -> None:
            ended = part.close()
            if ended is not None:
                await ended

        self.closing.push_async_callback(end)
        return part
