"""OTLP: records that a collector reads, with all that an entry says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.logs.v1 import logs_pb2

from caracal_grpc.shipping.formats.otlp import OtlpFormat
from caracal_grpc.shipping.record import Batch
from tests.shipping.entries import TIME, pruned, record

FORM = OtlpFormat()
NEWER = {"eventName", "observedTimeUnixNano"}
"""Fields that the messages which are installed here are too old for."""


def value(told: common_pb2.AnyValue) -> Any:
    """A value of OTLP as JSON has it."""
    match told.WhichOneof("value"):
        case "array_value":
            return [value(each) for each in told.array_value.values]
        case "kvlist_value":
            return {each.key: value(each.value) for each in told.kvlist_value.values}
        case str(name):
            return getattr(told, name)
    return None


def sent(*records: Any) -> list[dict[str, Any]]:
    """The log records of a request, as they are written."""
    request = json.loads(FORM.body(Batch("shop", records)))
    ((resource,),) = request.values()
    told = [ParseDict(each, common_pb2.KeyValue()) for each in resource["resource"]["attributes"]]
    said = {each.key: value(each.value) for each in told}
    assert said == {"service.name": "caracal-grpc", "caracal.zone": "shop"}
    (scope,) = resource["scopeLogs"]
    assert scope["scope"] == {"name": "caracal.ledger"}
    records_told: list[dict[str, Any]] = scope["logRecords"]
    return records_told


def logs(*records: Any) -> list[logs_pb2.LogRecord]:
    """The same as protobuf reads them, which takes no field and no type that it does not know."""
    known = [{name: each[name] for name in each.keys() - NEWER} for each in sent(*records)]
    return [ParseDict(each, logs_pb2.LogRecord()) for each in known]


def attributes(log: logs_pb2.LogRecord) -> dict[str, Any]:
    """What one searches by."""
    return {each.key: value(each.value) for each in log.attributes}


def test_body_of_a_record_is_its_event() -> None:
    """Value by value, and personal members in their place."""
    (log,) = logs(record(3))
    assert value(log.body) == record(3).event
    assert value(log.body)["subject"] == "usr_1"


def test_record_has_time_severity_and_stable_name() -> None:
    """A refusal is a warning."""
    grant, refusal = logs(record(3), record(4, "refusal"))
    assert grant.time_unix_nano == TIME * 1_000_000
    assert sent(record(3))[0]["observedTimeUnixNano"] == str(grant.time_unix_nano)
    assert (grant.severity_text, refusal.severity_text) == ("INFO", "WARN")
    assert grant.severity_number == logs_pb2.SEVERITY_NUMBER_INFO
    assert refusal.severity_number == logs_pb2.SEVERITY_NUMBER_WARN
    found = attributes(grant)
    assert (found["caracal.key"], found["caracal.id"]) == ("shop/3", "aud_3")
    assert (found["caracal.index"], found["caracal.type"]) == (3, "exchange")
    assert attributes(refusal)["caracal.reason"] == "POLICY_DENIED"


def test_record_is_named_by_the_type_of_its_entry() -> None:
    """What was pruned has no type any more."""
    assert [each["eventName"] for each in sent(record(), pruned())] == [
        "caracal.exchange",
        "caracal.pruned",
    ]


def test_pruned_and_erased_entries_say_so() -> None:
    """And hold nothing that is gone."""
    gone, erased = logs(pruned(0), record(1, personal=False))
    assert attributes(gone)["caracal.pruned"] is True
    assert attributes(erased)["caracal.erased"] is True
    assert "usr_1" not in str(erased)


def test_line_is_a_request_of_one_record() -> None:
    """Without any line end in it."""
    line = FORM.line(record(3))
    assert b"\n" not in line
    assert line == FORM.body(Batch("shop", [record(3)]))


@pytest.mark.parametrize("answer", [b"", b"{}", b'{"partialSuccess":{}}'])
def test_collector_that_took_all_refuses_nothing(answer: bytes) -> None:
    """An empty answer, or one without rejected records."""
    assert FORM.refused(answer) == ""


@pytest.mark.parametrize("count", ['"2"', "2"])
def test_partial_success_is_no_success(count: str) -> None:
    """What the collector rejected is told with its number, written either way."""
    answer = f'{{"partialSuccess":{{"rejectedLogRecords":{count}}}}}'
    assert "2 records" in FORM.refused(answer.encode())


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b'{"partialSuccess":1}', b"[" * 100_000])
def test_odd_answer_is_no_success(answer: bytes) -> None:
    """Who answers so is no collector."""
    assert FORM.refused(answer)
