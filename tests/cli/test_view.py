"""Messages as plain values, options as people write them, and lines that steer nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from caracal_grpc.cli.errors import CliError
from caracal_grpc.cli.terminal.options import ceiling_part, moment
from caracal_grpc.cli.terminal.output import print_table
from caracal_grpc.cli.terminal.view import view
from caracal_grpc.v1 import audit_pb2, key_pb2, token_service_pb2


def test_every_field_is_there_by_its_name() -> None:
    """Set or not: a program finds the same keys always."""
    shown = view(key_pb2.SigningKey(state=key_pb2.KEY_STATE_ACTIVE))
    assert shown == {
        "public": None,
        "state": "active",
        "create_time": None,
        "activate_time": None,
        "retire_time": None,
        "compromised": False,
        "kek_id": "",
    }


def test_times_are_utc_and_lives_are_seconds() -> None:
    """RFC 3339, with milliseconds when there are any."""
    entry = audit_pb2.AuditEntry()
    entry.time.FromJsonString("2026-11-21T10:00:00.25Z")
    entry.leaf_hash = b"\x01\xff"
    shown = view(entry)
    assert shown["time"] == "2026-11-21T10:00:00.250Z"
    assert shown["leaf_hash"] == "01ff"
    response = token_service_pb2.ExchangeResponse()
    response.expires_in.FromSeconds(300)
    assert view(response)["expires_in"] == 300


def test_values_that_are_newer_than_this_release_are_shown_as_numbers() -> None:
    """And what was never set as nothing."""
    assert view(audit_pb2.AuditEntry(decision=99))["decision"] == "99"  # type: ignore[arg-type]
    assert view(audit_pb2.AuditEntry())["decision"] == ""


def test_a_time_is_iso_or_ago() -> None:
    """Without a zone it is UTC."""
    assert moment("--since", "2026-01-31T12:00:00") == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert moment("--since", "2026-01-31T12:00:00+02:00") == datetime(2026, 1, 31, 10, tzinfo=UTC)
    before = datetime.now(UTC)
    two_hours_ago = moment("--since", "2h")
    assert before <= two_hours_ago + timedelta(hours=2) <= datetime.now(UTC)


@pytest.mark.parametrize("text", ["yesterday", "15", "15 m", "-3m"])
def test_another_time_is_wrong_usage(text: str) -> None:
    """Naming the option."""
    with pytest.raises(CliError, match="--since must be a time"):
        moment("--since", text)


@pytest.mark.parametrize("text", ["", "resource://a", "=b", "resource://a=", "resource://a=,"])
def test_a_ceiling_needs_resource_and_scopes(text: str) -> None:
    """And takes several scopes."""
    assert ceiling_part("resource://a=x:y,z") == ("resource://a", ["x:y", "z"])
    with pytest.raises(CliError, match="--ceiling must be"):
        ceiling_part(text)


def test_a_table_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither escapes nor markup of a name that came from elsewhere."""
    print_table(("name",), [["a\x1b[2Jb [red]c[/red]"]], "none")
    assert "a?[2Jb [red]c[/red]" in capsys.readouterr().out
