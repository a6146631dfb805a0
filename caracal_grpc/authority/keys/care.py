"""What looks after the keys of all zones besides those who ask: the schedule, and sealing anew."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Protocol

from caracal_grpc.authority.keys.keyring import Keyring
from caracal_grpc.authority.keys.keys import Keys
from caracal_grpc.authority.keys.resealing import Resealing
from caracal_grpc.authority.keys.schedule import RotationSchedule
from caracal_grpc.authority.state.ownership import Ownership
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State
from caracal_grpc.store.port import Store


class Others(Protocol):
    """The replicas that run, as this one, `own`, knows them."""

    own: str

    def live(self) -> AbstractSet[str]:
        """All of them."""
        ...

    def ahead(self) -> Mapping[str, float]:
        """How many seconds the clock of each other one is ahead of ours."""
        ...


class KeyCare:
    """Runs the schedule; `resealing` is for who asks. Start it on a running loop."""

    def __init__(
        self,
        store: Store,
        state: State,
        keyring: Keyring,
        keys: Keys,
        recorder: Recorder,
        replicas: Others,
    ) -> None:
        self._keys = keys
        ownership = Ownership(store, state, replicas.own, replicas.live)
        self.schedule = RotationSchedule(keys, keyring, state, ownership, replicas.ahead)
        self.resealing = Resealing(store, state, keyring.vault, recorder, replicas.live)

    def start(self) -> None:
        """Begins to look after the age of keys."""
        self.schedule.start()

    async def close(self) -> None:
        """Stops, once what is begun is finished."""
        await self.schedule.close()
        await self.resealing.close()
        await self._keys.close()
