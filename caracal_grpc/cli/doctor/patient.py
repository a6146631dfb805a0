"""Whom the doctor looks at, and what is known of the one so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from caracal_grpc.cli.context import Choice, Target
from caracal_grpc.core.ports import Clock

if TYPE_CHECKING:
    from caracal_grpc.cli.doctor.found import Found
    from caracal_grpc.interceptors.profile import Profile


@dataclass(frozen=True, slots=True)
class Skew:
    """How far the authority's clock is from ours, in seconds; both bounds are certain.

    Positive is ahead of this machine.
    """

    least: float
    most: float

    @property
    def certain(self) -> float:
        """What of it no journey of the answer explains."""
        if self.least <= 0 <= self.most:
            return 0.0
        return self.least if self.least > 0 else self.most


@dataclass(slots=True)
class Patient:
    """A profile on its way to its authority; each check adds what the later ones need."""

    chosen: Choice
    clock: Clock
    zone: str | None = None
    loaded: Profile | None = None
    skew: Skew | None = None
    replica: str = ""
    release: str = ""
    told: list[Found] = field(default_factory=list)

    @property
    def profile(self) -> Profile:
        """The profile, which the first check has loaded."""
        if self.loaded is None:
            raise RuntimeError("the profile is looked at first")
        return self.loaded

    @property
    def target(self) -> Target:
        """Whom to ask, as whom."""
        return Target(self.profile, self.zone or self.profile.zone, self.chosen.path)

    def endpoints(self) -> list[tuple[str, int]]:
        """Host and port of each address in the profile."""
        text = self.profile.authority
        for scheme in ("dns:///", "ipv4:", "ipv6:"):
            text = text.removeprefix(scheme)
        split = (each.rpartition(":") for each in text.split(","))
        return [(host.removeprefix("[").removesuffix("]"), int(port)) for host, _, port in split]
