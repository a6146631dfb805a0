"""What an edge of either kind was asked to be, and the parts that follow from nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from caracal_grpc.core.ports import Clock
from caracal_grpc.crypto.system import SystemClock
from caracal_grpc.interceptors.client.attachment import OnBehalf
from caracal_grpc.interceptors.client.channel import Identity
from caracal_grpc.interceptors.client.tracing import Tracing
from caracal_grpc.interceptors.edge import guarding
from caracal_grpc.interceptors.feed.feed_view import FeedView
from caracal_grpc.interceptors.guard.observed import cache_of
from caracal_grpc.interceptors.guard.verifier import Verifier
from caracal_grpc.interceptors.observer import Observer, observer_of
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.interceptors.records.recording import Recording
from caracal_grpc.interceptors.records.records import Records
from caracal_grpc.interceptors.rules.rules import Rules
from caracal_grpc.interceptors.sessions.approvals import WaitForApprovals

SYSTEM: Final = SystemClock()
"""The clock of every edge that is given none."""

ProfileSource = Profile | str | os.PathLike[str] | None
"""A profile, or the path of its file; `None` for the one that `CARACAL_PROFILE` names."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How an edge is set: the arguments of `connect`, read once and checked."""

    profile: Profile
    identity: Identity
    rules: Rules
    observer: Observer | None
    max_staleness: float
    recording: Recording | None
    clock: Clock
    approvals: WaitForApprovals | None = None

    @classmethod
    def of(
        cls,
        profile: ProfileSource,
        *,
        max_staleness: float,
        rules: Rules | None,
        bound: bool | None,
        telemetry: bool | Observer,
        record: Recording | bool,
        clock: Clock,
        approvals: WaitForApprovals | None = None,
    ) -> Settings:
        """The settings that these arguments of `connect` mean; raises `FIELD_INVALID`."""
        profile = Profile.of(profile)
        return cls(
            profile,
            Identity.of(profile, bound),
            rules or Rules.default(),
            observer_of(telemetry, profile.zone),
            max_staleness,
            Recording.of(record),
            clock,
            approvals,
        )

    def view(self) -> FeedView:
        """What the guards of the edge know, empty as yet."""
        profile = self.profile
        return FeedView(
            zone=profile.zone,
            issuer=profile.issuer,
            clock=self.clock,
            max_staleness=self.max_staleness,
        )

    def verifier(self, view: FeedView) -> Verifier:
        """What the guards of the edge judge by."""
        cache = cache_of(self.observer)
        return Verifier(view, clock=self.clock, max_staleness=self.max_staleness, cache=cache)

    def records(self) -> Records | None:
        """What the guards of the edge decide, on its way; it may block. Raises `FIELD_INVALID`."""
        if self.recording is None:
            return None
        return Records.open(self.recording, self.profile, self.clock, self.identity.binding())

    def tracing(self, rules: Rules | None = None) -> Tracing | None:
        """Who watches the calls of a channel; `None` for nobody."""
        if self.observer is None:
            return None
        return Tracing(self.observer, self.profile.application_id, rules)

    def on_behalf(self, chosen: OnBehalf | None) -> OnBehalf | Callable[[], OnBehalf]:
        """On whose behalf the calls of a channel act, or what says so on each call."""
        return guarding.default_of(self.profile) if chosen is None else chosen
