"""How far each sink is, by its cursor and the ledger itself, whether or not anybody ships now."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import grpc.aio

from caracal_grpc.settings.shipping import ShippingSettings, SinkSettings
from caracal_grpc.shipping.cursor import Place, Progress, read_progress
from caracal_grpc.shipping.delivery import Source
from caracal_grpc.shipping.feed import LedgerReplacedError, read_request, require_same, require_size
from caracal_grpc.shipping.lag import behind
from caracal_grpc.v1.audit_service_pb2_grpc import AuditServiceStub

_CALL_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class Standing:
    """How one sink stands in one zone.

    `next` is the index of the first entry that it has not got, `last_id` that of the one before it,
    `size` how many entries there are, `lag_entries` how many of them it lacks at most, and
    `lag_seconds` how old the oldest of these is. `wrong` says what is wrong, if anything is.
    """

    sink: str
    zone: str
    next: int
    last_id: str
    size: int
    lag_entries: int
    lag_seconds: float
    wrong: str

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


async def standings(
    settings: ShippingSettings, zones: Sequence[str], channel: grpc.aio.Channel
) -> list[Standing]:
    """How every sink stands in each of its zones; `zones` are those of the document.

    Raises `grpc.RpcError`, and `FIELD_INVALID` for a cursor that cannot be read.
    """
    stub = AuditServiceStub(channel)
    found: list[Standing] = []
    for name, sink in settings.sinks.items():
        progress = read_progress(settings.state_dir, name)
        sources = [Source(zone, stub) for zone in sink.zones or zones]
        found += [await _standing(settings, name, sink, progress, each) for each in sources]
    return found


async def _standing(
    settings: ShippingSettings, name: str, sink: SinkSettings, progress: Progress, source: Source
) -> Standing:
    size = await source.size()
    place = progress.zones.get(source.zone)
    at = place or Place(size if sink.begin == "end" else 0)
    try:
        oldest, replaced = await _oldest(source, sink, at), ""
    except LedgerReplacedError as error:
        oldest, replaced = None, f"the ledger is not the one that was read before: it {error}"
    entries = max(0, size - max(at.next, at.read)) if oldest is not None else 0
    seconds = max(0.0, time.time() - oldest) if oldest is not None else 0.0
    late = behind(seconds, entries, settings.alert_after_seconds, settings.alert_after_entries)
    stopped = f"stopped: {progress.stopped}" if progress.stopped else ""
    wrong = replaced or stopped or late
    return Standing(name, source.zone, at.next, at.id, size, entries, round(seconds, 3), wrong)


async def _oldest(source: Source, sink: SinkSettings, place: Place) -> float | None:
    """When the first entry was made that the sink has not got, in seconds since the Unix epoch, or
    now when that was pruned; `None` when it has all. Raises `LedgerReplacedError`.
    """
    request = read_request(source.zone, sink.filter, max(0, place.next - 1), follow=False)
    call = source.stub.Read(request, timeout=_CALL_TIMEOUT)
    try:
        async for part in call:
            require_size(place, part.size)
            for entry in part.entries:
                require_same(place, entry)
                if entry.index >= place.next:
                    return entry.time.ToMilliseconds() / 1000 or time.time()
        return None
    finally:
        call.cancel()
