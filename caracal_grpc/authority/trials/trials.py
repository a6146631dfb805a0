"""All ways to try a policy out."""

from __future__ import annotations

from dataclasses import dataclass

from caracal_grpc.authority.exchange.decider import Decider
from caracal_grpc.authority.policies.shadowing import Shadowing
from caracal_grpc.authority.state.state import State
from caracal_grpc.authority.trials.candidates import Candidates
from caracal_grpc.authority.trials.replay import Replays
from caracal_grpc.authority.trials.simulation import Simulation
from caracal_grpc.core.ports import Clock
from caracal_grpc.ledger.port import Ledger


@dataclass(frozen=True, slots=True)
class Trials:
    """On one question, on what was asked already, on what is asked from now on at `replica`."""

    simulation: Simulation
    replays: Replays
    shadowing: Shadowing
    replica: str

    @classmethod
    def over(
        cls,
        ledger: Ledger,
        state: State,
        decider: Decider,
        candidates: Candidates,
        shadowing: Shadowing,
        clock: Clock,
        replica: str,
    ) -> Trials:
        """All of them over the parts of one replica."""
        simulation = Simulation(state, decider, candidates, clock)
        return cls(simulation, Replays(ledger, state, candidates, clock), shadowing, replica)
