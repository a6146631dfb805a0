"""The line of a refusal: for people and for programs, and never so many that they do harm."""

from __future__ import annotations

import json
import logging
import threading

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.telemetry.refusal_log import BURST, RefusalLog
from caracal_grpc.telemetry import JsonLines
from tests.support.clock import FakeClock
from tests.support.keys import Mint, chain

METHOD = "/caracal.test.Echo/Unary"
DENIED = CaracalError(Reason.SCOPE_INSUFFICIENT, "not enough")
FORGED = CaracalError(Reason.MANDATE_SIGNATURE_INVALID, "forged")


@pytest.fixture(autouse=True)
def _heard(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="caracal.guard")


def test_a_line_is_one_json_object(caplog: pytest.LogCaptureFixture) -> None:
    """By the formatter of `serve`, or any that takes what a record has of its own."""
    mandate = Mint().mandate(**chain(2))
    RefusalLog()(METHOD, DENIED, mandate)
    line = json.loads(JsonLines().format(caplog.records[0]))
    assert line.pop("time")
    assert line == {
        "level": "info",
        "logger": "caracal.guard",
        "message": f"call refused reason=SCOPE_INSUFFICIENT method={METHOD} "
        f"jti={mandate.jti} audit_id={mandate.audit_id}",
        "event": "call_refused",
        "reason": "SCOPE_INSUFFICIENT",
        "code": "PERMISSION_DENIED",
        "method": METHOD,
        "jti": mandate.jti,
        "audit_id": mandate.audit_id,
        "zone": mandate.zone,
        "application": mandate.application,
        "hops": 2,
        "suppressed": 0,
    }


def test_a_recorded_refusal_names_its_own_entry_and_that_of_the_grant(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One says why the call was refused, the other why there was a mandate at all."""
    mandate = Mint().mandate()
    RefusalLog()(METHOD, DENIED, mandate, "aud_7")
    RefusalLog()(METHOD, DENIED, None, "aud_8")
    first, second = (json.loads(JsonLines().format(record)) for record in caplog.records)
    assert (first["audit_id"], first["mandate_audit_id"]) == ("aud_7", mandate.audit_id)
    assert (second["audit_id"], second["jti"]) == ("aud_8", "-")


def test_what_honest_callers_do_not_meet_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """All else is everyday. Without a mandate there is no grant to name."""
    log = RefusalLog()
    log(METHOD, DENIED, None)
    log("/" + "x" * 10_000, FORGED, None)
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING"]
    assert [vars(record)["jti"] for record in caplog.records] == ["-", "-"]
    assert len(caplog.records[1].getMessage()) < 400


def test_a_flood_is_bounded_and_counted_and_hides_no_other_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A burst, then one a second; the next line says how many there were."""
    clock = FakeClock()
    log = RefusalLog(clock.monotonic)
    for _ in range(10_000):
        log(METHOD, DENIED, None)
    assert len(caplog.records) == BURST
    log(METHOD, FORGED, None)
    assert vars(caplog.records[-1])["reason"] == "MANDATE_SIGNATURE_INVALID"
    clock.advance(1)
    for _ in range(100):
        log(METHOD, DENIED, None)
    assert len(caplog.records) == BURST + 2
    assert vars(caplog.records[-1])["suppressed"] == 10_000 - BURST
    clock.advance(3_600)
    for _ in range(100):
        log(METHOD, DENIED, None)
    assert len(caplog.records) == 2 * BURST + 2


def test_threads_share_the_bound(caplog: pytest.LogCaptureFixture) -> None:
    """It holds for the process."""
    log = RefusalLog(FakeClock().monotonic)
    threads = [
        threading.Thread(target=lambda: [log(METHOD, DENIED, None) for _ in range(200)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(caplog.records) == BURST


def test_a_logger_that_is_off_costs_the_bound_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Lines that nobody hears are not counted."""
    log = RefusalLog(FakeClock().monotonic)
    caplog.set_level(logging.ERROR, logger="caracal.guard")
    for _ in range(10 * BURST):
        log(METHOD, DENIED, None)
    caplog.set_level(logging.INFO, logger="caracal.guard")
    log(METHOD, DENIED, None)
    assert vars(caplog.records[-1])["suppressed"] == 0
