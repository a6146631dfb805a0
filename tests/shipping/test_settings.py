"""`ship.yaml`: what is wrong or unsafe is refused, by its path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import MAX_READERS_EACH
from caracal_grpc.core.reason import Reason
from caracal_grpc.settings.shipping import ShippingSettings
from caracal_grpc.shipping.formats.table import FORMATS
from caracal_grpc.shipping.making import make_sink
from caracal_grpc.shipping.record import Record
from tests.shipping.records import entry

HTTP: dict[str, Any] = {"url": "https://siem.example/ingest"}
SYSLOG: dict[str, Any] = {"address": "siem.example:6514"}
FILE: dict[str, Any] = {"path": "audit.jsonl"}


def load(sink: dict[str, Any] | None = None, **changes: Any) -> ShippingSettings:
    """What is fit, with changes; `sink` is the one there is."""
    fit = {"profile": "siem.json", "state_dir": "state", "sinks": {"siem": sink or {"http": HTTP}}}
    return ShippingSettings.load(fit | changes, Path("/etc/caracal"))


def wrong(sink: dict[str, Any] | None = None, **changes: Any) -> dict[str, str]:
    """What is wrong with it, by path."""
    with pytest.raises(CaracalError) as caught:
        load(sink, **changes)
    assert caught.value.reason is Reason.FIELD_INVALID
    return {each.field: each.description for each in caught.value.violations}


def test_files_are_relative_to_the_document() -> None:
    """As in a profile."""
    settings = load({"file": FILE})
    assert settings.state_dir == Path("/etc/caracal/state")
    assert settings.sinks["siem"].file is not None
    assert settings.sinks["siem"].file.path == Path("/etc/caracal/audit.jsonl")


@pytest.mark.parametrize(
    "sink",
    [
        {"file": FILE, "filter": {"decision": "deny"}, "omit": ["question"], "begin": "end"},
        {"http": HTTP | {"url": "http://127.0.0.1:8088/x", "gzip": True}},
        {"http": HTTP | {"url": "http://[::1]:8088/x"}},
        {"syslog": SYSLOG | {"cert_file": "c.pem", "key_file": "k.pem"}, "zones": ["shop"]},
        {"syslog": SYSLOG | {"address": "[2001:db8::1]:6514"}},
        {"http": HTTP, "batch": {"max_records": 1, "max_seconds": 0}},
    ],
)
def test_what_is_fit_is_taken(sink: dict[str, Any]) -> None:
    """One receiver a sink, and what it gets."""
    assert len(load(sink).sinks["siem"].receivers) == 1


@pytest.mark.parametrize(
    ("sink", "field", "said"),
    [
        ({"filter": {}}, "sinks.siem", "must have one of"),
        ({"file": FILE, "http": HTTP}, "sinks.siem", "must have one of"),
        ({"http": {}}, "sinks.siem.http.url", "is missing"),
        ({"http": {"url": "http://siem.example/"}}, "sinks.siem.http.url", "must be https"),
        ({"http": {"url": "http://10.0.0.1/"}}, "sinks.siem.http.url", "must be https"),
        ({"http": {"url": "https://u:p@siem.example/"}}, "sinks.siem.http.url", "token_file"),
        ({"http": {"url": "https://siem.example:0x/"}}, "sinks.siem.http.url", "URL"),
        ({"http": {"url": "ftp://siem.example/"}}, "sinks.siem.http.url", "must be https"),
        ({"http": HTTP | {"header": "a b"}}, "sinks.siem.http.header", "name of a header"),
        ({"http": HTTP | {"scheme": "a\nb"}}, "sinks.siem.http.scheme", "one word"),
        ({"http": HTTP | {"egress_allow": ["ten"]}}, "sinks.siem.http.egress_allow", "network"),
        ({"http": HTTP | {"key_file": "k"}}, "sinks.siem.http.cert_file", "must be set too"),
        ({"http": HTTP | {"token": "x"}}, "sinks.siem.http.token", "is no key here"),
        ({"syslog": {"address": "siem.example"}}, "sinks.siem.syslog.address", "host:port"),
        ({"syslog": {"address": "siem.example:99999"}}, "sinks.siem.syslog.address", "host:port"),
        ({"syslog": SYSLOG | {"cert_file": "c"}}, "sinks.siem.syslog.key_file", "must be set too"),
        ({"syslog": SYSLOG | {"app_name": "a b"}}, "sinks.siem.syslog.app_name", "48 printable"),
        ({"syslog": SYSLOG | {"facility": 24}}, "sinks.siem.syslog.facility", "23"),
        ({"file": FILE, "zones": ["No Zone"]}, "sinks.siem.zones[0]", "a-z"),
        ({"file": FILE, "zones": ["shop", "shop"]}, "sinks.siem.zones[1]", "is there already"),
        ({"file": FILE | {"keep": 0}}, "sinks.siem.file.keep", "1"),
        ({"file": FILE, "omit": ["id"]}, "sinks.siem.omit[0]", "question"),
        ({"file": FILE, "filter": {"since": 1}}, "sinks.siem.filter.since", "is no key here"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(sink: dict[str, Any], field: str, said: str) -> None:
    """With what to write instead."""
    found = wrong(sink)
    assert list(found) == [field]
    assert said in found[field]


def test_names_of_sinks_become_names_of_files() -> None:
    """So they hold nothing that could lead elsewhere."""
    for name in ("../siem", "Siem", "a b", ""):
        found = wrong(sinks={name: {"file": FILE}})
        assert "must be 1 to 63" in found[f"sinks.{name}"]


def test_two_sinks_do_not_share_a_file() -> None:
    """Each would cut off what it takes for the other's torn line."""
    sinks = {"a": {"file": FILE}, "b": {"file": {"path": "./audit.jsonl"}}}
    assert list(wrong(sinks=sinks)) == ["sinks.b.file.path"]


def test_nobody_waits_longer_than_until_the_alarm() -> None:
    """A batch that may wait so long would be behind by its settings."""
    sink = {"file": FILE, "batch": {"max_seconds": 600}}
    assert list(wrong(sink)) == ["sinks.siem.batch.max_seconds"]
    assert load(sink, alert_after_seconds=900.0)


def test_there_are_no_more_streams_than_an_authority_gives() -> None:
    """One too many would wait for ever without a word."""
    zones = [f"zone-{number}" for number in range(MAX_READERS_EACH // 2)]
    assert load(zones=zones).zones == zones
    found = wrong(zones=zones, sinks={"a": {"file": FILE}, "b": {"http": HTTP}})
    assert f"take {MAX_READERS_EACH} streams" in found["sinks"]


def test_every_format_has_its_place_in_the_settings() -> None:
    """What can be chosen can be made, and makes something of a record."""
    for name in FORMATS:
        chosen = load({"http": HTTP, "format": name}).sinks["siem"].format
        assert FORMATS[chosen](False).line(Record.of("shop", entry(1)))
    assert list(wrong({"http": HTTP, "format": "xml"})) == ["sinks.siem.format"]


@pytest.mark.parametrize(
    ("sink", "field"),
    [
        ({"http": HTTP | {"token_file": "token"}}, "sinks.siem.http.token_file"),
        ({"http": HTTP | {"ca_file": "token"}}, "sinks.siem.http.ca_file"),
        ({"syslog": SYSLOG | {"ca_file": "none"}}, "sinks.siem.syslog.ca_file"),
        (
            {"http": HTTP | {"cert_file": "token", "key_file": "token"}},
            "sinks.siem.http.cert_file",
        ),
        (
            {"syslog": SYSLOG | {"cert_file": "token", "key_file": "token"}},
            "sinks.siem.syslog.cert_file",
        ),
        ({"file": {"path": "none/audit.jsonl"}}, "sinks.siem.file.path"),
    ],
)
def test_a_file_that_is_unfit_is_named_by_its_setting(
    tmp_path: Path, sink: dict[str, Any], field: str
) -> None:
    """Before anything is sent: a secret that others can read, what is not there, what is no PEM."""
    (tmp_path / "token").write_text("s3cret")
    (tmp_path / "token").chmod(0o644)
    document = {"profile": "p.json", "state_dir": "state", "sinks": {"siem": sink}}
    settings = ShippingSettings.load(document, tmp_path)
    with pytest.raises(CaracalError) as caught:
        make_sink("siem", settings.sinks["siem"])
    assert caught.value.violations[0].field == field
    assert "s3cret" not in str(caught.value)
