"""An etcd is lost with all that it had; the backup and the ledgers bring back what may live."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.secret_file import write_secret_file
from tests.cli.support import Ended, caracal
from tests.stories.support import require_verified
from tests.support.authority import Running, reason_of, run, serve_values
from tests.support.etcd import EtcdProcess
from tests.support.postgres import PASSWORD, PostgresProcess
from tests.support.shop import ORDERS, PAYMENTS, shop


def beside(values: dict[str, Any]) -> list[str]:
    """The options of `backup` that say where the same etcd, ledger and key are."""
    secret = values.get("ledger_password_file")
    return [
        *("--etcd-endpoints", *values["etcd_endpoints"]),
        *("--etcd-prefix", values["etcd_prefix"]),
        *("--ledger", str(values["ledger"])),
        *("--kek-file", str(values["kek_file"])),
        *(("--ledger-password-file", str(secret)) if secret else ()),
    ]


async def mandate(authority: Running, name: str, scope: str) -> Any:
    """What the application is granted on orders."""
    return await authority.exchange(name, ORDERS, scope)


async def test_an_etcd_is_lost_and_restored(tmp_path: Path) -> None:
    """Who was granted is granted again once the zone is unfrozen; who was stopped is not."""
    async with AsyncExitStack() as closing:
        # 1. An authority on an etcd of its own; a backup of it while it runs.
        first = await closing.enter_async_context(EtcdProcess(tmp_path / "first"))
        values = serve_values(tmp_path, first)
        authority = await run(tmp_path, values, closing)
        await authority.apply(shop())
        backup = tmp_path / "backup"
        said = await command("backup", "create", str(backup), *beside(values))
        assert said.code == 0, said
        # 2. Afterwards somebody is revoked, and a mandate is handed out. Then all of etcd is lost.
        await authority.revoke(authority.credentials["shop", "bounded"].application_id)
        before = await mandate(authority, "agent", "orders:place")
        known = authority.credentials
    async with AsyncExitStack() as closing:
        second = await closing.enter_async_context(EtcdProcess(tmp_path / "second"))
        values = values | {"etcd_endpoints": [second.endpoint]}
        # 3. The backup is whole, and is brought into an etcd that has nothing.
        assert (await command("backup", "verify", str(backup))).code == 0
        said = await command("backup", "restore", str(backup), *beside(values))
        assert said.code == 0, said
        assert "1 stopped again" in said.out
        assert "frozen: shop;" in said.out
        # 4. The authority runs again, its zone frozen until somebody has looked.
        authority = await run(tmp_path, values, closing)
        authority.credentials |= known
        assert await reason_of(mandate(authority, "agent", "orders:place")) is Reason.ZONE_FROZEN
        said = await command(
            *("zone", "unfreeze", "shop", "--reason", "looked"),
            profile=_saved(authority, tmp_path),
        )
        assert said.code == 0, said
        # 5. The agent is granted again; the revoked one and the mandate from before are not heard.
        assert (await mandate(authority, "agent", "orders:place")).mandate
        refused = await reason_of(mandate(authority, "bounded", "orders:place"))
        assert refused is Reason.CLIENT_AUTH_FAILED
        going_on = authority.exchange(
            "orders", PAYMENTS, "payments:charge", subject_token=before.mandate
        )
        assert await reason_of(going_on) is Reason.SUBJECT_TOKEN_INVALID
        # 6. The ledger goes on where it ended, and verifies from its first entry to its last.
        types = [each.type for each in await require_verified(authority)]
        assert types.count("zone.restore") == 1
        assert types.index("zone.restore") > types.index("revocation")


async def test_an_etcd_is_lost_with_its_ledger(tmp_path: Path) -> None:
    """The backup's ledger is put in its place, whole and private, and that is said."""
    async with AsyncExitStack() as closing:
        first = await closing.enter_async_context(EtcdProcess(tmp_path / "first"))
        values = serve_values(tmp_path, first)
        authority = await run(tmp_path, values, closing)
        await authority.apply(shop())
        backup = tmp_path / "backup"
        assert (await command("backup", "create", str(backup), *beside(values))).code == 0
    async with AsyncExitStack() as closing:
        second = await closing.enter_async_context(EtcdProcess(tmp_path / "second"))
        values = values | {"etcd_endpoints": [second.endpoint]}
        ledger = Path(values["ledger"])
        ledger.rename(tmp_path / "lost.db")
        # 1. Nothing is put anywhere out of a backup that the key does not vouch for. What is left
        # of the lost ledger would be taken for a part of the other.
        other = tmp_path / "other-kek"
        write_secret_file(other, secrets.token_hex(32))
        wrong = beside(values | {"kek_file": other})
        said = await command("backup", "restore", str(backup), *wrong)
        assert (said.code, "another key-encryption key" in said.err) == (2, True), said
        assert not ledger.exists()
        # A ledger that is not where it is said to be is not taken for one that knows of nobody.
        lacking = ("--more-ledgers", str(tmp_path / "none.db"))
        said = await command("backup", "restore", str(backup), *beside(values), *lacking)
        assert (said.code, "none.db is no file" in said.err) == (2, True), said
        log = ledger.with_name(f"{ledger.name}-wal")
        log.write_bytes(b"")
        said = await command("backup", "restore", str(backup), *beside(values))
        assert (said.code, "move that away" in said.err) == (2, True), said
        log.unlink()
        # 2. Without it the backup's is put there; nothing is left beside it.
        said = await command("backup", "restore", str(backup), *beside(values))
        assert said.code == 0, said
        assert "the ledger is the backup's" in said.out
        assert ledger.stat().st_mode & 0o777 == 0o600
        assert {each.name for each in tmp_path.glob(f"*{ledger.name}*")} <= {
            ledger.name,
            f"{ledger.name}.lock",
        }
        # 3. It goes on, and verifies.
        authority = await run(tmp_path, values, closing)
        types = [each.type for each in await require_verified(authority)]
        assert types.count("zone.restore") == 1


async def test_an_etcd_is_lost_beside_a_ledger_in_postgresql(
    tmp_path: Path, postgres: PostgresProcess, database: str
) -> None:
    """The database that survived knows who was stopped, and must contain what was backed up."""
    secret = tmp_path / "ledger-password"
    write_secret_file(secret, PASSWORD)
    at = {"ledger": postgres.tcp_url(database), "ledger_password_file": secret}
    older, empty = f"{database}_older", postgres.make_database()
    backup = tmp_path / "backup"
    try:
        async with AsyncExitStack() as closing:
            # 1. An authority over etcd and PostgreSQL; of the database there is an older copy.
            first = await closing.enter_async_context(EtcdProcess(tmp_path / "first"))
            values = serve_values(tmp_path, first, **at)
            async with AsyncExitStack() as before:
                authority = await run(tmp_path, values, before)
                await authority.apply(shop())
                known = authority.credentials
            postgres.run("postgres", f"CREATE DATABASE {older} TEMPLATE {database}")
            authority = await run(tmp_path, values, closing)
            authority.credentials |= known
            assert (await mandate(authority, "agent", "orders:place")).mandate
            # 2. A backup while it runs. Then somebody is revoked, and all of etcd is lost.
            said = await command("backup", "create", str(backup), *beside(values))
            assert said.code == 0, said
            assert "back up its database, too" in said.out
            await authority.revoke(authority.credentials["shop", "bounded"].application_id)
        async with AsyncExitStack() as closing:
            second = await closing.enter_async_context(EtcdProcess(tmp_path / "second"))
            values = values | {"etcd_endpoints": [second.endpoint]}
            # 3. No file, no empty database and no older one is taken for the ledger.
            for ledger, why in (
                (tmp_path / "ledger.db", "must be the PostgreSQL database that outlived etcd"),
                (postgres.tcp_url(empty), "does not contain the"),
                (postgres.tcp_url(older), "does not contain the"),
            ):
                other = values | {"ledger": ledger}
                if isinstance(ledger, Path):
                    del other["ledger_password_file"]
                said = await command("backup", "restore", str(backup), *beside(other))
                assert (said.code, why in said.err) == (2, True), said
            # 4. The database itself is; who was revoked stays so, and the ledger goes on.
            said = await command("backup", "restore", str(backup), "--unfrozen", *beside(values))
            assert said.code == 0, said
            assert "1 stopped again" in said.out
            authority = await run(tmp_path, values, closing)
            authority.credentials |= known
            assert (await mandate(authority, "agent", "orders:place")).mandate
            refused = await reason_of(mandate(authority, "bounded", "orders:place"))
            assert refused is Reason.CLIENT_AUTH_FAILED
            types = [each.type for each in await require_verified(authority)]
            assert types.count("zone.restore") == 1
            assert types.index("zone.restore") > types.index("revocation")
    finally:
        postgres.drop_database(older)
        postgres.drop_database(empty)


def _saved(authority: Running, folder: Path) -> Path:
    """The operator's profile, with the address of this start."""
    path = folder / "now.json"
    authority.profile.save(path)
    return path


async def command(*arguments: str, **more: Any) -> Ended:
    """What the command line leaves behind, while this process goes on."""
    return await asyncio.to_thread(lambda: caracal(*arguments, **more))
