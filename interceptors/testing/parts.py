"""What the guarded servers of both stacks have in common: a guard, and all that a test asks it."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import grpc

from caracal_grpc.core.edge_decision import EdgeDecision
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.crypto.system import SystemIds
from caracal_grpc.interceptors.guard.gate import RuleSource
from caracal_grpc.interceptors.guard.verifier import Verifier
from caracal_grpc.interceptors.records.recorder import Recorder
from caracal_grpc.interceptors.rules.rules import Rules
from caracal_grpc.interceptors.testing.authority import ThrowawayAuthority
from caracal_grpc.interceptors.testing.feed import CannedFeed

PROMPT: Final = 0.25
"""Seconds of staleness that a guard in a test bears: a canned feed has none before it goes stale,
and what is open then ends that soon."""

THREADS: Final = 16


class Refusal(NamedTuple):
    """One refused call or cut stream: its method, why, and the mandate when it could be read."""

    method: str
    error: CaracalError
    mandate: Mandate | None


class Parts(NamedTuple):
    """What a guard is made of; `guard` makes it."""

    authority: ThrowawayAuthority
    feed: CannedFeed
    rules: RuleSource
    max_staleness: float
    refusals: list[Refusal]
    decisions: list[EdgeDecision]

    @classmethod
    def of(
        cls,
        authority: ThrowawayAuthority | None,
        feed: CannedFeed | None,
        rules: RuleSource | None,
        max_staleness: float,
    ) -> Parts:
        """Those that are given; else an authority of its own, a feed that trusts it, and the rules
        of the descriptors.
        """
        authority = authority or ThrowawayAuthority()
        feed = feed or CannedFeed(authority)
        return cls(authority, feed, rules or Rules.default(), max_staleness, [], [])

    def guard(self, kind: Any, *, sampling_rate: float = 0.0, **options: Any) -> Any:
        """The guard, of `kind`."""
        clock = self.authority.clock
        verifier = Verifier(self.feed, clock=clock, max_staleness=self.max_staleness)

        def refused(*what: Any) -> None:
            self.refusals.append(Refusal(*what))

        recorder = Recorder(self.decisions.append, sampling_rate, clock, SystemIds())
        options = {"on_refusal": refused, "recorder": recorder, **options}
        return kind(self.feed, self.rules, verifier, clock=clock, **options)


def listen(server: Any, credentials: grpc.ServerCredentials | None) -> str:
    """The address, on loopback, where `server` listens from now on."""
    if credentials is None:
        return f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    return f"localhost:{server.add_secure_port('127.0.0.1:0', credentials)}"
