"""The settings of `audit ship`, `ship.yaml`: an unsafe one refuses to start."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field

from caracal_grpc.core.errors import CaracalError, FieldViolation
from caracal_grpc.core.ids import require_slug
from caracal_grpc.core.limits import MAX_READERS_EACH
from caracal_grpc.settings.document import FilePath, Part, read_document, refusal
from caracal_grpc.settings.receivers import (
    FileSink,
    HttpSink,
    ParquetSink,
    Problems,
    SyslogSink,
    http_problems,
    syslog_problems,
)

FormatName = Literal["json", "ocsf", "otlp"]
"""What records look like, by the names of `shipping/formats/table.py`."""

Omitted = Literal[
    "actor_chain", "answer", "details", "narrowing", "peer", "policy_reasons", "question"
]
"""Members of events that may be left out."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_MAX_SINKS: Final = 32
_MAX_ZONES: Final = 256


class Query(Part):
    """Which entries: those that match all that is given, as in `AuditService.Read`."""

    type: str = ""
    """The kind of matter, such as `exchange`."""
    decision: Literal["", "allow", "deny", "done"] = ""
    """How it ended."""
    reason: str = ""
    """Why it was refused, such as `POLICY_DENIED`."""
    application_id: str = ""
    """The acting application, `app_…`."""
    subject: str = ""
    """On whose behalf. What is erased of a person matches no more."""
    resource: str = ""
    """The resource."""
    session_id: str = ""
    """The session, `ses_…`."""
    about: str = ""
    """What a change of state was made to."""

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return not any(self.model_dump().values())


class Batching(Part):
    """How much is sent at once: as soon as one of these is reached."""

    max_records: Annotated[int, Field(ge=1, le=100_000)] = 500
    max_bytes: Annotated[int, Field(ge=1024, le=64 << 20)] = 1 << 20
    """Bytes of their events, about."""
    max_seconds: Annotated[float, Field(ge=0, le=3600)] = 1.0
    """For how long the first of them waits for others."""


class SinkSettings(Part):
    """One receiver: `file`, `http`, `syslog` or `parquet`, and what it gets."""

    file: FileSink | None = None
    http: HttpSink | None = None
    syslog: SyslogSink | None = None
    parquet: ParquetSink | None = None
    format: FormatName = "json"
    zones: list[str] = Field([], max_length=_MAX_ZONES)
    """By default those of the document."""
    begin: Literal["start", "end"] = "start"
    """Where a zone begins that was never sent here: with its first entry, or with the next."""
    filter: Query = Query()
    omit: list[Omitted] = Field([])
    """Members of events that are left out, such as `question`, which is long."""
    batch: Batching = Batching()
    max_retry_seconds: Annotated[float, Field(ge=1, le=3600)] = 60.0
    """The longest pause between two attempts."""

    @property
    def receivers(self) -> list[Part]:
        """The receivers that are configured; there is to be one."""
        every = (self.file, self.http, self.syslog, self.parquet)
        return [each for each in every if each is not None]


class ShippingSettings(Part):
    """What `audit ship` runs with; use `load`, which names each path that is wrong."""

    profile: FilePath
    """The profile of an application that holds `caracal:audit:read`."""
    state_dir: FilePath
    """A folder of this process alone, for how far each sink is."""
    zones: list[str] = Field([], max_length=_MAX_ZONES)
    """The zones to read; by default that of the profile."""
    sinks: Annotated[dict[str, SinkSettings], Field(min_length=1, max_length=_MAX_SINKS)]
    """Receivers by names of your choice."""
    alert_after_seconds: Annotated[float, Field(ge=30)] = 300.0
    """A sink whose oldest entry that it has not got is older than this is behind."""
    alert_after_entries: Annotated[int, Field(ge=1)] = 100_000
    """So is one that lacks more than this."""
    drain_seconds: Annotated[float, Field(ge=0, le=300)] = 10.0
    """Seconds that batches on their way get to arrive on SIGTERM."""
    telemetry: bool = False
    """Whether the lag is shown through OpenTelemetry."""

    @classmethod
    def load(cls, document: object, folder: Path) -> Self:
        """The settings in `document`, whose files are relative to `folder`.

        Raises `FIELD_INVALID` with a violation for each path that is wrong, missing or unsafe.
        """
        settings = read_document(cls, document, folder)
        if problems := list(settings.problems()):
            raise refusal(problems)
        return settings

    def problems(self) -> Iterator[FieldViolation]:
        """What is unsafe, or no single key shows."""
        yield from _zone_problems("zones", self.zones)
        streams = sum(len(sink.zones or self.zones) or 1 for sink in self.sinks.values())
        if streams >= MAX_READERS_EACH:  # one is left for --status
            text = f"take {streams} streams, and an application may have {MAX_READERS_EACH - 1}"
            yield FieldViolation("sinks", f"{text}: ship the rest with another profile and file")
        written: set[Path] = set()
        for name, sink in self.sinks.items():
            place = f"sinks.{name}"
            if not _NAME.fullmatch(name):
                yield FieldViolation(place, "must be 1 to 63 of a-z, 0-9, - and _")
            for field, text in _sink_problems(sink):
                yield FieldViolation(f"{place}.{field}".removesuffix("."), text)
            if sink.batch.max_seconds >= self.alert_after_seconds:
                text = "must be less than alert_after_seconds, or the alarm never ends"
                yield FieldViolation(f"{place}.batch.max_seconds", text)
            if sink.file and (path := sink.file.path.absolute()) in written:
                yield FieldViolation(f"{place}.file.path", "is the file of another sink")
            elif sink.file:
                written.add(path)
            yield from _zone_problems(f"{place}.zones", sink.zones)


def _sink_problems(sink: SinkSettings) -> Problems:
    if len(sink.receivers) != 1:
        yield "", "must have one of file, http, syslog and parquet"
    if sink.parquet is not None and sink.format != "json":
        yield "format", "must be left out: the columns are the format"
    if sink.http is not None:
        yield from ((f"http.{field}", text) for field, text in http_problems(sink.http))
    if sink.syslog is not None:
        yield from ((f"syslog.{field}", text) for field, text in syslog_problems(sink.syslog))


def _zone_problems(field: str, zones: list[str]) -> Iterator[FieldViolation]:
    for index, zone in enumerate(zones):
        place = f"{field}[{index}]"
        try:
            require_slug(place, zone)
        except CaracalError as error:
            yield from error.violations
        if zone in zones[:index]:
            yield FieldViolation(place, "is there already")
