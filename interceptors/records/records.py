"""The recording of one edge, put together: what guards put in, and what a sender takes out."""

from __future__ import annotations

from dataclasses import dataclass

from caracal_grpc.core.ports import Clock
from caracal_grpc.crypto.system import SystemIds
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.interceptors.records.outbox import Outbox
from caracal_grpc.interceptors.records.recorder import Recorder
from caracal_grpc.interceptors.records.recording import Recording
from caracal_grpc.interceptors.records.report import Sender
from caracal_grpc.interceptors.records.spill import SpillFile


@dataclass(frozen=True, slots=True)
class Records:
    """What is common to both kinds of edges."""

    recorder: Recorder
    outbox: Outbox
    sender: Sender

    @classmethod
    def open(
        cls, recording: Recording, profile: Profile, clock: Clock, binding: str | None
    ) -> Records:
        """Opens the spill file, if there is to be one, so it may block; raises `FIELD_INVALID`."""
        spill = None
        if recording.spill is not None:
            owner = f"{profile.zone}/{profile.application_id}"
            spill = SpillFile.open(recording.spill, recording.spill_bytes, owner)
        outbox = Outbox(recording.buffer, spill, clock.monotonic)
        return cls(
            Recorder(outbox.put, recording.sampling_rate, clock, SystemIds()),
            outbox,
            Sender(profile.zone, recording.sampling_rate, binding),
        )
