"""`serve`: every setting is a flag and a variable, and an unsafe one refuses to start."""

from __future__ import annotations

import re
import secrets
import signal
from pathlib import Path

import pytest

from caracal_grpc.cli.terminal.settings import variable
from caracal_grpc.settings.serve import ServeSettings
from tests.cli.support import Ended, Running, caracal
from tests.support.etcd import EtcdProcess
from tests.support.etcd_tls import CertificateAuthority

SECRET = {"kek", "kek_previous"}
"""What everybody on the machine could read if it were an argument."""


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    """Settings that are fit but for their etcd, as variables."""
    kek = tmp_path / "kek"
    kek.write_text(secrets.token_hex(32))
    kek.chmod(0o600)
    values = {
        "listen": "127.0.0.1:0",
        "public_url": "https://authority.example",
        "etcd_endpoints": "127.0.0.1:1",
        "kek_file": str(kek),
        "ledger": str(tmp_path / "ledger.sqlite"),
        "bootstrap_profile": str(tmp_path / "operator.json"),
    }
    return {variable(name): value for name, value in values.items()}


def _serve(settings: dict[str, str], *arguments: str) -> Ended:
    return caracal("serve", *arguments, **settings)


def test_every_setting_is_a_flag_and_a_variable() -> None:
    """And described; what is a secret itself is a variable only."""
    shown = caracal("serve", "--help", COLUMNS="400").out
    for name in ServeSettings.model_fields:
        flag = re.compile(rf"--{name.replace('_', '-')}(?![\w-])")
        assert bool(flag.search(shown)) is (name not in SECRET), name
        assert variable(name) in shown


async def test_it_serves_tls_until_sigterm(
    etcd: EtcdProcess,
    etcd_ca: CertificateAuthority,
    settings: dict[str, str],
    tmp_path: Path,
) -> None:
    """Bootstraps the operator once, answers it over TLS, and ends with 0."""
    certificate, key = etcd_ca.issue("authority", ("localhost", "127.0.0.1"))
    for name, pem in (("ca", etcd_ca.pem), ("cert", certificate), ("key", key)):
        file = tmp_path / f"{name}.pem"
        file.write_bytes(pem)
        file.chmod(0o600)
        settings[variable(f"tls_{name}_file")] = str(file)
    prefix = f"test/{secrets.token_hex(8)}"
    flags = ("--etcd-endpoints", etcd.endpoint, "--etcd-prefix", prefix, "--json")
    http = ("--http-listen", "127.0.0.1:0")
    running = Running("serve", *flags, *http, **settings)
    try:
        profile = tmp_path / "operator.json"
        addresses = {running.json["authority"], running.json["http"]}
        assert len(addresses) == 2
        assert all(each.startswith("127.0.0.1:") for each in addresses)
        assert "plaintext" not in profile.read_text()
        listed = caracal("keys", "list", "--json", profile=profile)
        assert listed.code == 0, listed.err
    finally:
        ended = running.end(signal.SIGTERM)
    assert ended.code == 0
    assert "Traceback" not in ended.err


def test_an_etcd_that_is_not_there_is_one_line(settings: dict[str, str]) -> None:
    """Exit code 5, naming the endpoint."""
    ended = _serve(settings, "--max-staleness", "2")
    assert ended.code == 5
    assert ended.line.startswith("etcd at 127.0.0.1:1 is not available")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--listen", "0.0.0.0:7420"), "tls_cert_file"),
        (("--etcd-endpoints", "etcd.example:2379"), "etcd_ca_file"),
        (("--max-staleness", "1"), "max_staleness"),
        (("--policy-engine", "none"), "policy_engine"),
        (("--policy-timeout-ms", "5"), "policy_timeout_ms"),
        (("--policy-memory-mib", "64"), "policy_memory_mib"),
        (("--kek-file", "/gone"), "kek_file: /gone"),
    ],
)
def test_an_unsafe_or_wrong_setting_is_named(
    arguments: tuple[str, ...], named: str, settings: dict[str, str]
) -> None:
    """Exit code 2, and nothing is started."""
    ended = _serve(settings, *arguments)
    assert ended.code == 2
    assert ended.line.startswith(named)


def test_a_missing_kek_is_named(settings: dict[str, str]) -> None:
    """The setting and its flag."""
    del settings["CARACAL_KEK_FILE"]
    ended = _serve(settings)
    assert ended.code == 2
    assert "kek_file" in ended.line
    assert "--kek-file" in ended.line


async def test_a_kek_in_the_environment_is_forgotten(
    etcd: EtcdProcess, settings: dict[str, str], tmp_path: Path
) -> None:
    """It seals; no child of the process could inherit it, here the command of another key."""
    settings["CARACAL_KEK"] = Path(settings.pop("CARACAL_KEK_FILE")).read_text()
    seen = tmp_path / "seen"
    script = tmp_path / "previous"
    script.write_text(f"#!/bin/sh\nenv > {seen}\necho {secrets.token_hex(32)}\n")
    script.chmod(0o700)
    settings["CARACAL_KEK_PREVIOUS_COMMAND"] = str(script)
    flags = ("--etcd-endpoints", etcd.endpoint, "--etcd-prefix", f"test/{secrets.token_hex(8)}")
    running = Running("serve", *flags, "--json", **settings)
    try:
        profile = tmp_path / "operator.json"
        listed = caracal("keys", "list", "--json", profile=profile)
        assert len(listed.json["keys"][0]["kek_id"]) == 16, listed.err
    finally:
        ended = running.end(signal.SIGTERM)
    assert ended.code == 0, ended.err
    assert "PATH=" in seen.read_text()
    assert "CARACAL_" not in seen.read_text()
    assert settings["CARACAL_KEK"] not in ended.out + ended.err


@pytest.mark.parametrize("value", ["no key", "00" * 32])
def test_a_kek_in_the_environment_that_is_none_is_named(
    settings: dict[str, str], value: str
) -> None:
    """The setting, and not what it holds."""
    del settings["CARACAL_KEK_FILE"]
    ended = _serve(settings | {"CARACAL_KEK": value})
    assert ended.code == 2
    assert ended.line.startswith("kek: ")
    assert value not in ended.line


def test_a_kek_that_others_can_read_is_refused(settings: dict[str, str]) -> None:
    """With the command that mends it."""
    Path(settings["CARACAL_KEK_FILE"]).chmod(0o640)
    ended = _serve(settings)
    assert ended.code == 2
    assert "chmod 600" in ended.line
