"""Settings: an unsafe or senseless combination refuses, and names the setting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from caracal_grpc.core.limits import LEEWAY, MAX_SESSION_TTL, MAX_STALENESS, REVOCATION_TTL
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.secret_file import write_secret_file
from caracal_grpc.ledger.notes.cosignature import WitnessKey
from caracal_grpc.ledger.notes.note import VerifierKey
from caracal_grpc.settings.addresses import is_loopback
from caracal_grpc.settings.backup import CaptureSettings, RestoreSettings
from caracal_grpc.settings.serve import ServeSettings
from tests.support.refusals import refused

GOOD: dict[str, Any] = {
    "public_url": "https://a.example",
    "etcd_endpoints": ["127.0.0.1:2379"],
    "kek_file": "kek",
    "ledger": "ledger.db",
}

OPA = {"policy_engine": "opa"}

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no TLS off loopback": ({"listen": "0.0.0.0:7420"}, "tls_cert_file"),
    "no TLS on a name": ({"listen": "authority.example:7420"}, "tls_cert_file"),
    "no TLS on every IPv6 address": ({"listen": "[::]:7420"}, "tls_cert_file"),
    "no port": ({"listen": "127.0.0.1"}, "listen"),
    "certificate without key": ({"tls_cert_file": "cert.pem"}, "tls_key_file"),
    "key without certificate": ({"tls_key_file": "key.pem"}, "tls_key_file"),
    "client CA without TLS": ({"tls_client_ca_file": "ca.pem"}, "tls_client_ca_file"),
    "witness without a key": ({"witnesses": ["witness.example/one"]}, "witnesses"),
    "witness with the key of a log": (
        {"witnesses": [str(VerifierKey("a.example", bytes(32)))]},
        "witnesses",
    ),
    "proxy of no name": ({"trusted_proxies": ["gate"]}, "trusted_proxies"),
    "proxy by a pattern": ({"trusted_proxies": ["spiffe://a.example/*"]}, "trusted_proxies"),
    "trust domain for a proxy": ({"trusted_proxies": ["spiffe://a.example"]}, "trusted_proxies"),
    "proxy that cannot be known": (
        {"trusted_proxies": ["spiffe://a.example/gate"]},
        "trusted_proxies",
    ),
    "http off loopback without TLS": ({"http_listen": "0.0.0.0:8080"}, "http_listen"),
    "http on a name without TLS": ({"http_listen": "authority.example:8080"}, "http_listen"),
    "http without a port": ({"http_listen": "127.0.0.1"}, "http_listen"),
    "http on no port that there is": ({"http_listen": "127.0.0.1:65536"}, "http_listen"),
    "metrics on no port": ({"http_metrics": True}, "http_metrics"),
    "http on the same port": (
        {"listen": "127.0.0.1:7420", "http_listen": "127.0.0.1:7420"},
        "http_listen",
    ),
    "etcd in the clear": ({"etcd_endpoints": ["etcd.internal:2379"]}, "etcd_ca_file"),
    "one etcd in the clear": (
        {"etcd_endpoints": ["127.0.0.1:2379", "http://10.0.0.1:2379"]},
        "etcd_ca_file",
    ),
    "user without password": ({"etcd_username": "me"}, "etcd_password_file"),
    "password without user": ({"etcd_password_file": "password"}, "etcd_password_file"),
    "ledger in the clear": ({"ledger": "postgresql://u@db.example/caracal"}, "ledger"),
    "password in the ledger's URL": ({"ledger": "postgresql://u:p@localhost/caracal"}, "ledger"),
    "password for a file": ({"ledger_password_file": "password"}, "ledger_password_file"),
    "no etcd": ({"etcd_endpoints": []}, "etcd_endpoints"),
    "no url": ({"public_url": "a.example"}, "public_url"),
    "trust for ever": ({"max_staleness": MAX_STALENESS + 1}, "max_staleness"),
    "trust for no time": ({"max_staleness": 0}, "max_staleness"),
    "endless drain": ({"drain_seconds": 301}, "drain_seconds"),
    "no network to call": ({"egress_allow": ["10.0.0.0/8", "10.0.0.1/8"]}, "egress_allow"),
    "a name to call": ({"egress_allow": ["idp.internal"]}, "egress_allow"),
    "unknown engine": ({"policy_engine": "rego"}, "policy_engine"),
    "remote engine without a server": ({"policy_engine": "opa"}, "opa_url"),
    "server without its engine": ({"opa_url": "http://127.0.0.1:8181"}, "opa_url"),
    "policy in the clear": (OPA | {"opa_url": "http://opa.internal:8181"}, "opa_url"),
    "a zone's machine": (OPA | {"opa_url": "http://127.0.0.1@{zone}"}, "opa_url"),
    "more than a path": (OPA | {"opa_url": "https://opa.internal/?x="}, "opa_url"),
    "no server at all": (OPA | {"opa_url": "opa.internal"}, "opa_url"),
    "two keys": ({"kek_command": "cat kek"}, "kek_file"),
    "two other keys": ({"kek_file": None, "kek": "x", "kek_command": "x"}, "kek_file"),
    "module without a key": ({"kek_pkcs11_module": "p11.so"}, "kek_pkcs11_module"),
    "key without a module": (
        {"kek_file": None, "kek_pkcs11_label": "x", "kek_pkcs11_token": "x"},
        "kek_pkcs11_module",
    ),
    "unknown setting": ({"keks": "x"}, "keks"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_setting_is_named(case: str) -> None:
    """FIELD_INVALID with the setting, and the flag that sets it."""
    changes, setting = BAD[case]
    with refused(Reason.FIELD_INVALID) as seen:
        ServeSettings.load(GOOD | changes)
    assert seen.fields[0].partition(".")[0] == setting
    assert f"--{setting.replace('_', '-')}" in str(seen.error)


def test_longest_trust_outlives_no_revocation() -> None:
    """What the most trusting replica signs at the last moment is dead before it is forgiven.

    It signs with a clock that is a leeway ahead, and an edge whose clock is a leeway behind accepts
    a leeway past the end.
    """
    most = ServeSettings.load(GOOD | {"max_staleness": MAX_STALENESS}).max_staleness
    assert most + LEEWAY + MAX_SESSION_TTL + LEEWAY + LEEWAY <= REVOCATION_TTL


def test_each_witness_counts_once() -> None:
    """However often its key is written."""
    key = WitnessKey("witness.example/one", bytes(32))
    loaded = ServeSettings.load(GOOD | {"witnesses": [str(key), str(key)]})
    assert loaded.witness_keys() == (key,)


@pytest.mark.parametrize("setting", GOOD)
def test_missing_setting_is_named(setting: str) -> None:
    """What has no default must be given."""
    with refused(Reason.FIELD_INVALID) as seen:
        ServeSettings.load({name: value for name, value in GOOD.items() if name != setting})
    assert seen.fields == [setting]


def test_every_wrong_setting_is_named_at_once() -> None:
    """Nobody has to run it twice to see the second fault."""
    with refused(Reason.FIELD_INVALID) as seen:
        ServeSettings.load({"max_staleness": "soon", "drain_seconds": -1})
    assert {"max_staleness", "drain_seconds", *GOOD} == set(seen.fields)


@pytest.mark.parametrize(
    ("changes", "setting"),
    [
        ({"etcd_endpoints": ["127.0.0.1:not-a-port"]}, "etcd_endpoints"),
        ({"etcd_prefix": "/starts/with/slash"}, "etcd_prefix"),
        ({"etcd_ca_file": "missing.pem"}, "etcd_ca_file"),
        ({"etcd_ca_file": "ca.pem", "etcd_cert_file": "cert.pem"}, "etcd_cert_file"),
        ({"etcd_key_file": "missing.key"}, "etcd_key_file"),
        ({"etcd_key_file": "open.key"}, "etcd_key_file"),
        ({"etcd_username": "me", "etcd_password_file": "open.key"}, "etcd_password_file"),
    ],
    ids=str,
)
def test_etcd_setting_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], setting: str
) -> None:
    """Files that are missing or that others may read, and what the store itself would refuse."""
    monkeypatch.chdir(tmp_path)
    for name in ("ca.pem", "cert.pem", "open.key"):
        Path(name).write_text("-----BEGIN THING-----")
        Path(name).chmod(0o644)
    loaded = ServeSettings.load(GOOD | changes)
    with refused(Reason.FIELD_INVALID) as seen:
        loaded.etcd()
    assert seen.fields == [setting]


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.8.8.8:1", "[::1]:1", "localhost:1"])
def test_loopback_addresses(address: str) -> None:
    """Plain text is for this machine only."""
    assert is_loopback(address)


@pytest.mark.parametrize(
    "address", ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "localhost.evil.example:1", ":1", ""]
)
def test_other_addresses(address: str) -> None:
    """Everything else is somewhere else."""
    assert not is_loopback(address)


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:8181", True),
        ("http://[::1]", True),
        ("http://localhost:8181/{zone}", True),
        ("https://opa.internal", False),
        ("https://{zone}.opa.internal/v0", False),
    ],
)
def test_policy_server_may_be_on_this_machine(url: str, loopback: bool) -> None:
    """Saying so in its URL is what allows it, for it alone; any other private network is not."""
    loaded = ServeSettings.load(GOOD | OPA | {"opa_url": url, "egress_allow": ["10.1.0.0/16"]})
    private, *more = loaded.opa_networks()
    assert (str(private), bool(more)) == ("10.1.0.0/16", loopback)
    assert len(loaded.egress_networks()) == 1


def test_token_of_the_policy_server_is_for_nobody_else_to_read(tmp_path: Path) -> None:
    """FIELD_INVALID for a file that others may read."""
    path = tmp_path / "token"
    path.write_text("t-1\n")
    path.chmod(0o644)
    loaded = ServeSettings.load(
        GOOD | OPA | {"opa_url": "https://opa.internal", "opa_token_file": path}
    )
    with refused(Reason.FIELD_INVALID) as seen:
        loaded.opa_token()
    assert seen.fields == ["opa_token_file"]
    path.chmod(0o600)
    assert loaded.opa_token() == "t-1"


@pytest.mark.parametrize("name", ["missing", "open"])
def test_password_of_the_ledger_is_for_its_owner_alone(tmp_path: Path, name: str) -> None:
    """A file that others may read, or that is not there, is refused by the setting's name."""
    (tmp_path / "open").write_text("secret")
    (tmp_path / "open").chmod(0o644)
    ledger = {"ledger": "postgresql://u@localhost/caracal", "ledger_password_file": tmp_path / name}
    loaded = ServeSettings.load(GOOD | ledger)
    with refused(Reason.FIELD_INVALID) as seen:
        loaded.ledger_password()
    assert seen.fields == ["ledger_password_file"]


@pytest.mark.parametrize("settings", [CaptureSettings, RestoreSettings])
def test_a_backup_is_of_either_ledger(settings: Any, tmp_path: Path) -> None:
    """A file, or a database with a password for its owner alone, named as `serve` names it."""
    secret = tmp_path / "password"
    write_secret_file(secret, "a password")
    values = {name: GOOD[name] for name in ("etcd_endpoints", "kek_file")}
    ledger = {"ledger": "postgresql://u@localhost/caracal", "ledger_password_file": secret}
    assert settings.load(values | ledger).ledger_password() == "a password"
    assert settings.load(values | {"ledger": tmp_path / "l.db"}).ledger_password() is None
    with refused(Reason.FIELD_INVALID) as seen:
        settings.load(values | {"ledger": "postgresql://u@db.example/caracal"})
    assert seen.fields == ["ledger"]
