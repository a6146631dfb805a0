"""The process that ships: every sink on its own, each zone of it with a stream of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable, Sequence
from typing import Any, Final

import grpc.aio

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.settings.shipping import ShippingSettings, SinkSettings
from caracal_grpc.shipping.cursor import Cursors
from caracal_grpc.shipping.delivery import Delivery, Source
from caracal_grpc.shipping.lag import Alarm, Lag, shown
from caracal_grpc.shipping.making import make_sink
from caracal_grpc.shipping.port import SinkRefusedError
from caracal_grpc.shipping.turn import Turn
from caracal_grpc.telemetry import observe_lag
from caracal_grpc.v1.audit_service_pb2_grpc import AuditServiceStub

_LOOK: Final = 1.0
"""Seconds between two looks at how far behind the sinks are."""

_log: Final = logging.getLogger("caracal.shipping")


class Line:
    """One sink and its zones, which `run` delivers until it is cancelled or the sink stops."""

    def __init__(self, name: str, turn: Turn, lags: Sequence[Lag]) -> None:
        self.lags = lags
        self._name = name
        self._turn = turn

    async def run(self, deliveries: Sequence[Delivery]) -> None:
        """Delivers; a sink that refuses, or a fault of ours, stops this sink and no other."""
        try:
            await asyncio.to_thread(self._note, "")
            async with asyncio.TaskGroup() as group:
                self._tasks = [group.create_task(each.run()) for each in deliveries]
        except* SinkRefusedError as refused:
            await self._stop(str(_first(refused)))
        except* Exception as fault:  # noqa: BLE001 - whatever it is, the other sinks go on
            _log.exception("a fault of this program ends the sink %s", self._name)
            await self._stop(
                f"a fault of this program, {type(_first(fault)).__name__}; see its log"
            )
        finally:
            await self._turn.close()

    async def _stop(self, why: str) -> None:
        for lag in self.lags:
            lag.stopped = lag.stopped or why
        await asyncio.to_thread(self._note, why)

    def _note(self, why: str) -> None:
        try:
            self._turn.cursors.stopped(why)
        except CaracalError as error:
            _log.warning("what became of sink %s cannot be noted: %s", self._name, error.message)


class Shipper:
    """All sinks of the settings, over one channel on which calls carry their mandates.

    `run` delivers until it is cancelled, or until nothing is delivered any more.
    """

    def __init__(self, settings: ShippingSettings, zones: Sequence[str]) -> None:
        self._settings = settings
        self._zones = zones
        self._closing = contextlib.ExitStack()
        self._lines: list[tuple[Line, Turn, SinkSettings]] = []

    def open(self) -> None:
        """Takes hold of every cursor; raises `FIELD_INVALID`, and then nothing stays open."""
        with contextlib.ExitStack() as closing:
            for name, sink in self._settings.sinks.items():
                made = make_sink(name, sink)
                cursors = Cursors.open(self._settings.state_dir, name)
                closing.callback(cursors.close)
                turn = Turn(made, cursors, self._settings.drain_seconds)
                lags = [Lag(name, zone) for zone in sink.zones or self._zones]
                self._lines.append((Line(name, turn, lags), turn, sink))
            self._closing = closing.pop_all()

    def close(self) -> None:
        """Lets go of the cursors; again is no error."""
        self._closing.close()

    @property
    def lags(self) -> list[Lag]:
        """How far each sink is in each zone."""
        return [lag for line, _, _ in self._lines for lag in line.lags]

    async def run(self, channel: grpc.aio.Channel) -> None:
        """Delivers until it is cancelled, or until every sink has stopped."""
        stub = AuditServiceStub(channel)
        lags = self.lags
        if self._settings.telemetry:
            self._closing.callback(observe_lag(lambda: shown(lags)))
        watching = asyncio.create_task(self._watch(lags), name="caracal-shipping-alarms")
        try:
            async with asyncio.TaskGroup() as group:
                self._tasks = [
                    group.create_task(line.run(_deliveries(stub, line, turn, sink)))
                    for line, turn, sink in self._lines
                ]
        finally:
            watching.cancel()
            await asyncio.wait({watching})

    async def _watch(self, lags: Sequence[Lag]) -> None:
        seconds, entries = self._settings.alert_after_seconds, self._settings.alert_after_entries
        alarms = [Alarm(lag, seconds, entries) for lag in lags]
        try:
            while True:
                for alarm in alarms:
                    alarm.check()
                await asyncio.sleep(_LOOK)
        finally:
            for alarm in alarms:
                alarm.check()


def _deliveries(stub: Any, line: Line, turn: Turn, sink: SinkSettings) -> list[Delivery]:
    return [Delivery(Source(lag.zone, stub), turn, sink, lag) for lag in line.lags]


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    found = group.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found


async def ship(shipper: Shipper, channel: grpc.aio.Channel, ready: Callable[[], None]) -> bool:
    """Ships until SIGTERM or SIGINT: then what is on its way arrives and is noted.

    Returns whether it was told to end; else nothing was left that could be delivered.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    running = asyncio.create_task(shipper.run(channel), name="caracal-shipping")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    try:
        ready()
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        return stopping.done()
    finally:
        running.cancel()
        stopping.cancel()
        await asyncio.gather(running, stopping, return_exceptions=True)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
