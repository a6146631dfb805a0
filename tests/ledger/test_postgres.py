"""A PostgreSQL server that is safe to record on, and one that is not."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.ledger.engines.location import server_parameters
from tests.ledger.support import entry, fill, open_ledger
from tests.support.etcd_tls import CertificateAuthority
from tests.support.postgres import PASSWORD, PostgresProcess, running
from tests.support.postgres_tls import tls_port


async def _refused(place: str, **options: Any) -> CaracalError:
    with pytest.raises(CaracalError) as refusal:
        await open_ledger(place, **options)
    return refusal.value


@pytest.mark.parametrize(
    ("place", "problem"),
    [
        ("postgresql://u:secret@localhost/db", "ledger_password_file"),
        ("postgresql://u@localhost/db?password=secret", "ledger_password_file"),
        ("postgresql://u@db.example/db", "sslmode=verify-full"),
        ("postgresql://u@db.example/db?sslmode=require", "sslmode=verify-full"),
        ("postgresql://u@localhost,db.example/db", "sslmode=verify-full"),
        ("postgresql://u@10.0.0.1/db?sslmode=verify-ca", "sslmode=verify-full"),
        ("postgresql://u@localhost/db?hostaddr=10.0.0.1", "may not set hostaddr"),
        ("postgresql://u@localhost/db?service=other", "may not set service"),
        ("postgresql://u@localhost/db?options=-cfsync%3Doff", "may not set options"),
        ("postgresql://u@localhost", "name a database"),
        ("postgresql:///db", "name each host"),
        ("postgresql://u@localhost,/db", "name each host"),
        ("postgresql://u@localhost/db?nonsense=secret", "libpq"),
        ("postgresql://u@[::1/db", "libpq"),
    ],
)
async def test_an_unsafe_url_is_refused(place: str, problem: str) -> None:
    """Before anything is opened, by the setting's name, and without what may be secret."""
    refusal = await _refused(place)
    assert refusal.reason is Reason.FIELD_INVALID
    assert refusal.violations[0].field == "ledger"
    assert problem in refusal.violations[0].description
    assert "secret" not in str(refusal)
    assert refusal.__cause__ is None


@pytest.mark.parametrize(
    "place",
    [
        "postgresql://u@localhost/db",
        "postgres://u@127.0.0.1:6000,[::1]:6001/db",
        "postgresql://u@/db?host=/run/postgresql",
        "postgresql://u@%2Frun%2Fpostgresql/db",
        "postgresql://u@a.example,b.example:6000/db?sslmode=verify-full&sslrootcert=system",
    ],
)
def test_a_safe_url_is_taken(place: str) -> None:
    """This machine, a socket, or TLS that proves each host."""
    assert server_parameters(place)["dbname"] == "db"


async def test_the_environment_leads_nowhere_else(
    postgres: PostgresProcess, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address there is not looked at by the check of the hosts, nor by the driver."""
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("PGHOSTADDR", "192.0.2.1")
        ledger = await open_ledger(postgres.url(database))
        assert (await ledger.append(entry())).index == 0
        await ledger.close()


async def test_without_psycopg_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver is an extra: whoever uses SQLite needs none."""
    real: Callable[..., Any] = builtins.__import__

    def without(name: str, *more: Any, **options: Any) -> Any:
        if name.startswith("psycopg"):
            raise ImportError(name)
        return real(name, *more, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    refusal = await _refused("postgresql://u@localhost/db")
    assert "pip install 'caracal-grpc[postgres]'" in refusal.message


async def test_the_password_is_asked_for(postgres: PostgresProcess, database: str) -> None:
    """A wrong one, and none, are refused and not shown; the right one is taken."""
    place = postgres.tcp_url(database)
    for password in ("a wrong one", None):
        refusal = await _refused(place, password=password)
        assert refusal.reason is Reason.AUDIT_UNAVAILABLE
        assert "password" in refusal.message
        assert "a wrong one" not in f"{refusal!r}{refusal.__cause__!r}"
    ledger = await open_ledger(place, password=PASSWORD)
    assert (await ledger.append(entry())).index == 0
    await ledger.close()


async def test_a_database_that_is_not_there_is_said_so(postgres: PostgresProcess) -> None:
    """In the words of the server."""
    refusal = await _refused(postgres.url("nowhere"))
    assert (refusal.reason, "nowhere" in refusal.message) == (Reason.AUDIT_UNAVAILABLE, True)


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
async def test_a_server_that_may_lose_data_is_refused(setting: str) -> None:
    """What it acknowledges might be gone after a crash."""
    with running(config={setting: "off"}) as server:
        refusal = await _refused(server.url("postgres"))
    assert refusal.reason is Reason.AUDIT_UNAVAILABLE
    assert f"{setting}=off" in refusal.message


@pytest.mark.parametrize(
    ("server", "ours"),
    [("off", "on"), ("local", "on"), ("remote_write", "on"), ("remote_apply", "remote_apply")],
)
async def test_every_commit_is_durable(
    postgres: PostgresProcess, database: str, server: str, ours: str
) -> None:
    """Whatever the server's default; one that is stricter is kept."""
    postgres.run(database, f"ALTER DATABASE {database} SET synchronous_commit = {server}")
    ledger = await open_ledger(postgres.url(database))
    for engine in (ledger._database.writer, ledger._database.reader):
        with engine.connect() as connection:
            assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == ours
    await ledger.close()


async def test_nothing_waits_for_ever(postgres: PostgresProcess, database: str) -> None:
    """Each session bounds its locks and its idling in a transaction, and its reads; a commit is
    bounded from outside, since one that is cancelled while it waits for a standby says done.
    """
    ledger = await open_ledger(postgres.url(database))
    expected = {"lock": "3s", "idle_in_transaction_session": "5s"}
    for engine, statement in ((ledger._database.writer, "0"), (ledger._database.reader, "5s")):
        with engine.connect() as connection:
            for name, limit in {**expected, "statement": statement}.items():
                shown = connection.exec_driver_sql(f"SHOW {name}_timeout").scalar()
                assert shown == limit
    await ledger.close()


async def test_tls_proves_the_server(
    postgres: PostgresProcess, database: str, tmp_path: Path
) -> None:
    """The name and the authority of its certificate, by `verify-full`."""
    ca, other = CertificateAuthority(), CertificateAuthority("another")
    files: dict[str, Path] = {}
    for name, pem in zip(("cert", "key"), ca.issue("db", ("localhost",)), strict=True):
        files[name] = tmp_path / f"{name}.pem"
        files[name].write_bytes(pem)
        files[name].chmod(0o600)
    for name, pem in (("ca", ca.pem), ("other", other.pem)):
        files[name] = tmp_path / f"{name}.pem"
        files[name].write_bytes(pem)
    async with tls_port(postgres, files["cert"], files["key"]) as port:

        def place(host: str, authority: str) -> str:
            url = postgres.tcp_url(database, host, port)
            return f"{url}?sslmode=verify-full&sslrootcert={files[authority]}"

        for host, authority in (("localhost", "other"), ("127.0.0.1", "ca")):
            refusal = await _refused(place(host, authority), password=PASSWORD)
            assert refusal.reason is Reason.AUDIT_UNAVAILABLE
            assert "certificate" in refusal.message
        ledger = await open_ledger(place("localhost", "ca"), password=PASSWORD)
        await fill(ledger, 3)
        assert (await ledger.checkpoint("shop")).size == 3
        await ledger.close()


async def test_the_next_host_is_asked(postgres: PostgresProcess, database: str) -> None:
    """The first one is not there."""
    hosts = f"127.0.0.1:1,127.0.0.1:{postgres.port}"
    place = f"postgresql://caracal@{hosts}/{database}"
    ledger = await open_ledger(place, password=PASSWORD)
    assert (await ledger.append(entry())).index == 0
    await ledger.close()
