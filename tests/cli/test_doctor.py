"""`doctor`: whatever is wrong between here and a working authority is named, with what to do."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from caracal_grpc.cli.doctor import examined
from caracal_grpc.cli.main import guarded
from caracal_grpc.crypto.system import SystemClock
from tests.cli.conftest import Shop
from tests.cli.support import Dev, Ended, caracal
from tests.support.authority import Running, Starter, eventually
from tests.support.etcd import EtcdProcess
from tests.support.etcd_tls import CertificateAuthority
from tests.support.quota import TINY_QUOTA, exhaust
from tests.support.tls import TlsFiles, write_tls

CLIENT = ("profile", "address", "connection", "tls", "health", "credential", "diagnosis", "clock")


def changed(source: Path, to: Path, **values: Any) -> Path:
    """A copy of a profile; `None` takes a setting away."""
    held = {**json.loads(source.read_text()), **values}
    to.touch(mode=0o600)
    to.write_text(json.dumps({name: value for name, value in held.items() if value is not None}))
    return to


def checks(ended: Ended) -> dict[str, dict[str, str]]:
    """The checks of one line of JSON, by `section.name`."""
    found = json.loads(ended.out)["checks"]
    return {f"{each['section']}.{each['name']}": each for each in found}


def require_only(ended: Ended, name: str, text: str, advice: str) -> None:
    """That this check of the client's side failed, with that text and advice, and stopped it."""
    told = checks(ended)
    assert list(told) == [f"client.{each}" for each in CLIENT]
    failed = told[f"client.{name}"]
    assert failed["status"] == "failed", told
    assert text in failed["detail"]
    assert advice in failed["advice"]
    after = CLIENT[CLIENT.index(name) + 1 :]
    assert {told[f"client.{each}"]["status"] for each in after} <= {"skipped"}
    assert all(name in told[f"client.{each}"]["detail"] for each in after)


async def examine(running: Running, **more: Any) -> Ended:
    """The doctor's answer about an authority in this process, as its operator."""
    profile = running.folder / "operator.json"
    if more:
        profile = changed(profile, running.folder / "changed.json", **more)
    return await asyncio.to_thread(caracal, "doctor", "--json", profile=profile)


def tls_settings(files: TlsFiles) -> dict[str, Any]:
    """Settings of an authority that shows this certificate."""
    shown = {"tls_cert_file": files.certificate, "tls_key_file": files.key}
    return {**shown, "tls_ca_file": files.ca}


def test_all_is_well(dev: Dev) -> None:
    """Both sides are looked at; a release of etcd that may lose writes is a warning."""
    ended = dev.run("doctor", "--json")
    assert ended.code == 0, ended.out
    told = checks(ended)
    assert {f"client.{each}" for each in CLIENT} <= told.keys()
    assert {each["section"] for each in told.values()} == {
        "client",
        "authority",
        "etcd",
        "ledger",
        "feed",
        "policy",
        "keys",
        "tls",
    }
    others = [name for name, each in told.items() if each["status"] != "ok"]
    assert set(others) <= {"etcd.release"}
    assert ended.json["replica"].startswith("rep_")
    strict = dev.run("doctor", "--strict", "--json")
    assert strict.code == (6 if others else 0)


def test_people_see_a_table(dev: Dev) -> None:
    """A line a check."""
    shown = dev.run("doctor").out
    rows = [line.split() for line in shown.splitlines()]
    assert any(row[:4] == ["ok", "client", "health", "serving"] for row in rows)
    assert any(row[:3] == ["ok", "ledger", "append"] for row in rows)


def test_who_may_not_see_the_authority_is_told_the_rest(shop: Shop) -> None:
    """Its own side, the clock included; that is nothing wrong, and proves nothing of the rest."""
    strict = shop.as_agent("doctor", "--strict")
    assert (strict.code, strict.line) == (6, "1 check not made; see what to do")
    ended = shop.as_agent("doctor", "--json")
    assert ended.code == 0, ended.out
    told = checks(ended)
    assert list(told) == [f"client.{each}" for each in CLIENT]
    assert told["client.diagnosis"]["status"] == "skipped"
    assert "caracal:diagnostics:read" in told["client.diagnosis"]["advice"]
    assert told["client.clock"]["status"] == "ok"


def test_another_zone_is_looked_at_for_operators(dev: Dev, shop: Shop) -> None:
    """Its entry in the ledger tells of it."""
    assert dev.run("doctor", "--zone", shop.zone, "--json").code == 0
    found = dev.run("audit", "search", "--zone", shop.zone, "--json").json["entries"]
    assert "diagnosis" in {each["type"] for each in found}


def test_a_profile_that_others_can_read_ends_it(dev: Dev, tmp_path: Path) -> None:
    """Nothing is sent anywhere."""
    profile = changed(dev.profile, tmp_path / "p.json")
    profile.chmod(0o644)
    ended = caracal("doctor", "--json", profile=profile)
    assert ended.code == 6
    require_only(ended, "profile", f"chmod 600 {profile}", "log in anew")


def test_a_host_without_an_address_is_out_of_reach(dev: Dev, tmp_path: Path) -> None:
    """Exit code 5: nothing can be known of the authority."""
    away = {"authority": "authority.invalid:7420", "plaintext": None}
    ended = caracal("doctor", "--json", profile=changed(dev.profile, tmp_path / "p.json", **away))
    assert ended.code == 5
    require_only(ended, "address", "authority.invalid has no address", "DNS")


def test_nobody_who_listens_is_out_of_reach(dev: Dev, tmp_path: Path) -> None:
    """The line on stderr says no more than the table."""
    profile = changed(dev.profile, tmp_path / "p.json", authority="127.0.0.1:1")
    ended = caracal("doctor", "--json", profile=profile)
    assert (ended.code, ended.line) == (5, "the authority cannot be reached; see the table")
    require_only(ended, "connection", "nobody at 127.0.0.1:1", "caracal-grpc dev")


def test_a_wrong_secret_is_told(dev: Dev, tmp_path: Path) -> None:
    """Without the secret."""
    profile = changed(dev.profile, tmp_path / "p.json", client_secret="wrong-but-secret")
    ended = caracal("doctor", "--json", profile=profile)
    assert ended.code == 6
    told = checks(ended)["client.credential"]
    assert told["status"] == "failed"
    assert "CLIENT_AUTH_FAILED" in told["detail"] + told["advice"]
    assert "wrong-but-secret" not in ended.out + ended.err


@dataclass(frozen=True)
class Skewed(SystemClock):
    """A clock that is off by some seconds."""

    off: float

    def now(self) -> float:
        """The wrong time."""
        return super().now() + self.off


@pytest.mark.parametrize(
    ("off", "strict", "code", "text"),
    [
        (0.0, True, None, "within 2 s"),
        (10.0, False, 0, "s ahead of the authority"),
        (-10.0, True, 6, "s behind the authority"),
        (60.0, False, 6, "s ahead of the authority"),
    ],
)
def test_a_clock_that_is_off_is_told(
    off: float, strict: bool, code: int | None, text: str, dev: Dev, capsys: Any
) -> None:
    """By what no journey of the answer explains; a guard here allows for five seconds."""

    def run() -> int:
        profile = str(dev.profile)
        examined(profile, None, Skewed(off), strict=strict, as_json=True)
        return 0

    ended = guarded(run)
    told = checks(Ended(ended, capsys.readouterr().out, ""))["client.clock"]
    assert text in told["detail"]
    if code is not None:
        assert ended == code
        assert "over 5 s" in told["advice"]


async def test_a_certificate_that_is_good_is_watched(
    start_authority: Starter, tmp_path: Path
) -> None:
    """On both sides, over TLS."""
    files = write_tls(tmp_path, CertificateAuthority(), "server")
    ended = await examine(await start_authority(**tls_settings(files)))
    assert ended.code == 0, ended.out
    told = checks(ended)
    assert (told["client.tls"]["status"], told["tls.certificate"]["status"]) == ("ok", "ok")
    assert told["tls.certificate"]["detail"].startswith("good for ")


async def test_a_certificate_of_another_ca_is_distrusted(
    start_authority: Starter, tmp_path: Path
) -> None:
    """It is said whose it is."""
    files = write_tls(tmp_path, CertificateAuthority("the real one"), "server")
    running = await start_authority(**tls_settings(files))
    other = tmp_path / "other.pem"
    other.write_bytes(CertificateAuthority("another").pem)
    ended = await examine(running, ca_file=str(other))
    assert ended.code == 6
    require_only(ended, "tls", "of the real one, whom the profile does not trust", "ca_file")


async def test_a_certificate_for_another_name_says_which_it_has(
    start_authority: Starter, tmp_path: Path
) -> None:
    """And with that name in the profile it is good."""
    files = write_tls(tmp_path, CertificateAuthority(), "server", names=("authority.example",))
    running = await start_authority(**tls_settings(files))
    ended = await examine(running)
    assert ended.code == 6
    require_only(ended, "tls", "is for authority.example, not for 127.0.0.1", "server_name")
    assert (await examine(running, server_name="authority.example")).code == 0


async def test_an_expired_certificate_is_told(start_authority: Starter, tmp_path: Path) -> None:
    """With since when."""
    ended_ago = -timedelta(days=2)
    files = write_tls(tmp_path, CertificateAuthority(), "server", ends=ended_ago)
    ended = await examine(await start_authority(**tls_settings(files)))
    assert ended.code == 6
    require_only(ended, "tls", "it expired 2.0 days ago", "renew the certificate")


async def test_a_certificate_that_ends_soon_is_a_warning(
    start_authority: Starter, tmp_path: Path
) -> None:
    """A year's in three weeks: exit code 0, and 6 when warnings count."""
    files = write_tls(tmp_path, CertificateAuthority(), "server", ends=timedelta(minutes=29))
    running = await start_authority(**tls_settings(files))
    told = checks(await examine(running))
    assert {told[name]["status"] for name in ("client.tls", "tls.certificate")} == {"warning"}
    profile = running.folder / "operator.json"
    strict = await asyncio.to_thread(caracal, "doctor", "--strict", "--json", profile=profile)
    assert strict.code == 6


async def test_a_client_certificate_that_is_wanted_is_told(
    start_authority: Starter, tmp_path: Path
) -> None:
    """The handshake does not say so; what follows it does."""
    files = write_tls(tmp_path, CertificateAuthority(), "server")
    running = await start_authority(**tls_settings(files), tls_client_ca_file=files.ca)
    ended = await examine(running)
    assert ended.code in {5, 6}
    told = checks(ended)
    failed = [each for each in told.values() if each["status"] == "failed"]
    assert ["client certificate" in each["advice"] for each in failed] == [True]


async def test_tls_to_an_authority_without_it_is_told(start_authority: Starter) -> None:
    """It is not taken for a wrong certificate."""
    ended = await examine(await start_authority(), plaintext=None)
    assert ended.code == 6
    told = checks(ended)["client.tls"]
    assert told["status"] == "failed"
    assert told["advice"]


async def test_an_etcd_without_room_is_told_while_the_authority_still_answers(
    start_authority: Starter, tmp_path: Path
) -> None:
    """Before its view is stale, with how to make room."""
    async with EtcdProcess(tmp_path / "full", arguments=TINY_QUOTA) as process:
        running = await start_authority(etcd_endpoints=[process.endpoint], max_staleness=60)
        assert (await examine(running)).code == 0
        await exhaust(process)
        ended = await examine(running)
        await running.server.stop()
    assert ended.code == 6
    told = checks(ended)
    assert told["etcd.alarms"]["detail"] == "NOSPACE"
    assert "etcdctl alarm disarm" in told["etcd.alarms"]["advice"]
    assert told["etcd.write"]["status"] == "failed"
    assert told["ledger.append"]["status"] == "ok"


async def test_an_authority_that_lost_its_etcd_does_not_serve(
    start_authority: Starter, tmp_path: Path
) -> None:
    """It is reached, and says so; what it stands on is to be looked at there."""
    async with EtcdProcess(tmp_path / "frozen") as process:
        running = await start_authority(etcd_endpoints=[process.endpoint], max_staleness=2)
        process.freeze()

        async def told_so() -> bool:
            found = checks(await examine(running))["client.health"]
            return found["status"] == "failed"

        await eventually(told_so, timeout=60)
        ended = await examine(running)
        process.thaw()
        await running.server.stop()
    assert ended.code == 6
    require_only(ended, "health", "lost sight of its etcd", "etcdctl endpoint status")
