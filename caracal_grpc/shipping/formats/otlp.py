"""Entries as log records of OpenTelemetry, for the `/v1/logs` of a collector.

In the JSON of OTLP/HTTP (OpenTelemetry Protocol 1.9, "JSON Protobuf Encoding"): names in
lowerCamelCase, enums as numbers, 64-bit integers as texts. A body is one request, and a line, too,
as the file exporter of a collector writes it. The body of a record is the event itself; its
attributes are what one searches by.

Written here and not by OpenTelemetry's messages, since xds-protos, which the mesh needs, installs
an old copy of these over them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from caracal_grpc.shipping.record import Batch, Record

_RESOURCE: Final = "caracal-grpc"
_SCOPE: Final = "caracal.ledger"
_INFO, _WARN = (9, "INFO"), (13, "WARN")
_ATTRIBUTES: Final = (
    "type",
    "decision",
    "reason",
    "application",
    "subject",
    "resource",
    "session",
    "jti",
    "request_id",
    "policy_version",
)
_NANOSECONDS: Final = 1_000_000
"""In a millisecond."""
_ENCODE: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class OtlpFormat:
    """The format of an OpenTelemetry collector."""

    @property
    def content_type(self) -> str:
        """The media type of `body`."""
        return "application/json"

    def line(self, record: Record) -> bytes:
        """One record as a request of its own."""
        return self.body(Batch(record.zone, [record]))

    def body(self, batch: Batch) -> bytes:
        """All of a batch."""
        logs = {"scope": {"name": _SCOPE}, "logRecords": [_record(each) for each in batch]}
        said = {"service.name": _RESOURCE, "caracal.zone": batch.zone}
        resource = {"attributes": _pairs(said)}
        request = {"resourceLogs": [{"resource": resource, "scopeLogs": [logs]}]}
        return _ENCODE(request).encode()

    def refused(self, answer: bytes) -> str:
        """What the collector says of records that it did not take although it answered 2xx."""
        try:
            told = json.loads(answer or b"{}")
            rejected = int(told.get("partialSuccess", {}).get("rejectedLogRecords", 0))
        except (ValueError, TypeError, AttributeError, RecursionError):
            return "its answer is no ExportLogsServiceResponse in JSON"
        return f"{rejected} records were rejected" if rejected else ""


def _record(record: Record) -> dict[str, Any]:
    event = record.event
    number, text = _WARN if event.get("decision") == "deny" else _INFO
    moment = str(record.time_ms * _NANOSECONDS)
    return {
        "timeUnixNano": moment,
        "observedTimeUnixNano": moment,
        "severityNumber": number,
        "severityText": text,
        "eventName": f"caracal.{event.get('type', 'pruned')}",
        "body": _value(dict(event)),
        "attributes": _pairs(_attributes(record, event)),
    }


def _attributes(record: Record, event: Mapping[str, Any]) -> dict[str, Any]:
    """What a receiver drops repeats by, what one searches by, and what became of the entry."""
    flags = {"erased": record.erased, "pruned": record.pruned}
    told = {
        "key": record.key,
        "id": record.id,
        "index": record.index,
        "leaf_hash": record.entry.leaf_hash.hex(),
        **{name: event[name] for name in _ATTRIBUTES if name in event},
        **{name: True for name, is_so in flags.items() if is_so},
    }
    return {f"caracal.{name}": value for name, value in told.items() if value != ""}


def _pairs(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in values.items()]


def _value(value: object) -> dict[str, Any]:
    """A JSON value as OTLP has it, an `AnyValue`."""
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case str():
            return {"stringValue": value}
        case list():
            return {"arrayValue": {"values": [_value(each) for each in value]}}
        case dict():
            return {"kvlistValue": {"values": _pairs(value)}}
    return {}
