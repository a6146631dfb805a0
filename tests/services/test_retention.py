"""RetentionService on the wire: what goes is gone, what is left proves itself, holds hold."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from caracal_grpc.cli.audit.ledger_file import write_ledger
from caracal_grpc.core.entry import Entry
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.ledger_key import verify_ed25519
from caracal_grpc.crypto.system import SystemIds
from caracal_grpc.ledger.checks.finding import Report
from caracal_grpc.ledger.checks.verify import verify_file
from caracal_grpc.v1 import audit_service_pb2, retention_service_pb2, zone_service_pb2
from tests.support.authority import Running, Starter, reason_of
from tests.support.shop import ORDERS, shop

ALICE = "usr_01h455vb4pex5vsknk084sn02q"
BOB = "usr_01h455vb4pex5vsknk084sn02r"
DAY = 86_400


@dataclass(frozen=True)
class Bearing:
    """A stub whose calls carry the operator's mandate."""

    stub: Any
    metadata: Any

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.stub, name)
        return lambda request, **how: method(request, metadata=self.metadata, **how)


async def retaining(authority: Running) -> Bearing:
    """The service, for the operator."""
    return Bearing(authority.stubs.retention, await authority.operator())


async def auditing(authority: Running) -> Bearing:
    """The AuditService, for the operator."""
    return Bearing(authority.stubs.audit, await authority.operator())


def ago(days: float) -> Timestamp:
    """So many days ago."""
    return Timestamp(seconds=int(time.time() - days * DAY))


async def history(authority: Running, days: float, count: int, **fields: Any) -> None:
    """So many entries of then, as the authority would have recorded them."""
    assert authority.server._authority is not None
    recorder = authority.server._authority.recorder
    when = int((time.time() - days * DAY) * 1000)
    values: dict[str, Any] = {"type": "exchange", "decision": "deny", **fields}
    ids = SystemIds()
    made = [Entry(id=ids.new("aud"), zone="shop", time_ms=when, **values) for _ in range(count)]
    for start in range(0, count, 200):
        await recorder.record_all(made[start : start + 200])


async def found(authority: Running, **query: Any) -> list[Any]:
    """What a search finds, on its first page."""
    request = audit_service_pb2.SearchRequest(zone="shop", page_size=1000, **query)
    return list((await (await auditing(authority)).Search(request)).entries)


async def verified(authority: Running) -> tuple[Report, str]:
    """What an auditor says who has the exported file alone, and the file."""
    out = io.StringIO()
    checkpoint = await write_ledger(await auditing(authority), "shop", out)
    report = verify_file(
        out.getvalue().splitlines(), verifier_key=checkpoint.verifier_key, verify=verify_ed25519
    )
    return report, out.getvalue()


async def prune(authority: Running, days: float, **how: Any) -> Any:
    """Takes away what is older than so many days."""
    request = retention_service_pb2.PruneRequest(zone="shop", before=ago(days), **how)
    return await (await retaining(authority)).Prune(request)


async def erase(authority: Running, subject: str, **how: Any) -> Any:
    """Erases what is personal of a subject."""
    request = retention_service_pb2.EraseSubjectRequest(zone="shop", subject=subject, **how)
    return await (await retaining(authority)).EraseSubject(request)


async def hold(authority: Running, **what: Any) -> Any:
    """Puts entries on hold."""
    request = retention_service_pb2.CreateLegalHoldRequest(
        zone="shop", hold={"reason": "case 7", **what}
    )
    return await (await retaining(authority)).CreateLegalHold(request)


async def test_a_pruned_and_erased_ledger_proves_itself(start_authority: Starter) -> None:
    """Also after a restart: what was held is there, of the erased nothing, hashes of the rest."""
    prefix = f"test/{uuid4().hex}"
    authority = await start_authority(etcd_prefix=prefix)
    await authority.apply(shop())
    young = len(await found(authority))
    question = f'{{"subject":"{ALICE}","name":"Alice Liddell"}}'
    await history(authority, 40, 300, subject=ALICE, question=question)
    await history(authority, 39, 5, subject=BOB)
    await history(authority, 2, 300, subject=ALICE, question=question)
    await authority.revoke(ALICE)
    await hold(authority, subject=BOB)

    pruned = await prune(authority, 30)
    assert (pruned.pruned, pruned.held) == (256 - young, 0)
    erased = await erase(authority, ALICE)
    # All but the pruned, and the revocation.
    assert (erased.erased, erased.held, erased.unerasable) == (345 + young, 0, 0)

    report, text = await verified(authority)
    assert report.ok, report.findings
    assert (report.pruned, report.withheld) == (pruned.pruned, erased.erased)
    assert ALICE not in text
    assert "Alice Liddell" not in text
    assert not await found(authority, subject=ALICE)
    assert not await found(authority, about=ALICE)
    assert len(await found(authority, subject=BOB)) == 5

    await authority.server.stop()
    again = await start_authority(etcd_prefix=prefix)
    again.credentials |= authority.credentials
    assert (await again.exchange("agent", ORDERS)).audit_id
    report, text = await verified(again)
    assert report.ok, report.findings
    assert ALICE not in text
    kept = (again.folder / "ledger.db").read_bytes()
    assert ALICE.encode() not in kept
    assert BOB.encode() in kept


async def test_what_is_on_hold_stays_until_the_hold_ends(authority: Running) -> None:
    """It is counted, not pruned, and not erased."""
    await history(authority, 40, 600, subject=ALICE)
    made = await hold(authority, subject=ALICE, until=ago(30))
    counted, pruned = await prune(authority, 30, dry_run=True), await prune(authority, 30)
    assert (pruned.pruned, pruned.held) == (counted.pruned, counted.held)
    assert (pruned.pruned, pruned.held > 0, pruned.audit_id) == (0, True, "")
    erased = await erase(authority, ALICE)
    assert (erased.erased, erased.held) == (1, 600)  # the entry of the hold is of now
    assert len(await found(authority, subject=ALICE)) == 600

    request = retention_service_pb2.DeleteLegalHoldRequest(zone="shop", id=made.hold.id)
    ended = await (await retaining(authority)).DeleteLegalHold(request)
    assert ended.audit_id
    assert (await erase(authority, ALICE)).erased == 600
    assert not await found(authority, subject=ALICE)


async def test_holds_are_told_as_they_were_made(authority: Running) -> None:
    """With all that was asked for."""
    application = authority.credentials["shop", "agent"].application_id
    what = {
        "subject": ALICE,
        "application_id": application,
        "session_id": "ses_01h455vb4pex5vsknk084sn02q",
        "since": Timestamp(seconds=1_700_000_000, nanos=1_000_000),
        "until": Timestamp(seconds=1_700_000_001),
    }
    made = (await hold(authority, **what)).hold
    assert made.create_time.seconds > 1_700_000_000
    for name, value in what.items():
        assert getattr(made, name) == value
    request = retention_service_pb2.ListLegalHoldsRequest(zone="shop")
    listed = await (await retaining(authority)).ListLegalHolds(request)
    assert list(listed.holds) == [made]


async def test_an_erased_entry_says_so(authority: Running) -> None:
    """What was granted stays, what policy was asked is gone, and the explanation still stands."""
    await history(authority, 1, 1, subject=ALICE, peer="10.0.0.7", resource=ORDERS)
    (before,) = await found(authority, subject=ALICE)
    assert (before.personal != b"", before.erased) == (True, False)
    await erase(authority, ALICE)
    request = audit_service_pb2.ExplainRequest(zone="shop", audit_id=before.id)
    entry = (await (await auditing(authority)).Explain(request)).entry
    assert (entry.personal, entry.erased, entry.subject) == (b"", True, "")
    assert (entry.canonical, entry.leaf_hash) == (before.canonical, before.leaf_hash)
    assert (entry.id, entry.resource) == (before.id, ORDERS)


async def test_what_would_go_is_counted(authority: Running) -> None:
    """A dry run has no entry, and takes nothing."""
    await history(authority, 40, 600, subject=ALICE)
    pruning = await prune(authority, 30, dry_run=True)
    assert (pruning.pruned > 200, pruning.audit_id) == (True, "")
    erasing = await erase(authority, ALICE, dry_run=True)
    assert (erasing.erased, erasing.audit_id) == (600, "")
    assert len(await found(authority, subject=ALICE)) == 600


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("Prune", {}),
        ("Prune", {"before": Timestamp(seconds=2**33)}),
        ("EraseSubject", {}),
        ("EraseSubject", {"subject": "app_01h455vb4pex5vsknk084sn02q"}),
        ("CreateLegalHold", {"hold": {}}),
        ("CreateLegalHold", {"hold": {"reason": "x" * 257}}),
        ("CreateLegalHold", {"hold": {"reason": "a", "application_id": "agent"}}),
        ("CreateLegalHold", {"hold": {"reason": "a", "until": Timestamp(seconds=-(2**40))}}),
        ("DeleteLegalHold", {"id": "case 7"}),
    ],
    ids=str,
)
async def test_what_means_nothing_is_refused(
    authority: Running, method: str, fields: dict[str, Any]
) -> None:
    """FIELD_INVALID."""
    request = getattr(retention_service_pb2, f"{method}Request")(zone="shop", **fields)
    call = getattr(await retaining(authority), method)(request)
    assert await reason_of(call) is Reason.FIELD_INVALID


async def test_what_is_not_there_is_not_found(authority: Running) -> None:
    """OBJECT_NOT_FOUND: a zone, a hold."""
    retention = await retaining(authority)
    hold_id = "hld_01h455vb4pex5vsknk084sn02q"
    for request in (
        retention_service_pb2.DeleteLegalHoldRequest(zone="shop", id=hold_id),
        retention_service_pb2.DeleteLegalHoldRequest(zone="nowhere", id=hold_id),
        retention_service_pb2.ListLegalHoldsRequest(zone="nowhere"),
        retention_service_pb2.PruneRequest(zone="nowhere", before=ago(2)),
        retention_service_pb2.EraseSubjectRequest(zone="nowhere", subject=ALICE),
        retention_service_pb2.CreateLegalHoldRequest(zone="nowhere", hold={"reason": "a"}),
    ):
        method = type(request).__name__.removesuffix("Request")
        assert await reason_of(getattr(retention, method)(request)) is Reason.OBJECT_NOT_FOUND


async def test_the_retention_of_a_zone_is_a_setting(authority: Running) -> None:
    """Declared, told again, and bounded."""
    declared = shop(settings={"retention_days": 90})
    await authority.apply(declared)
    told = await authority.stubs.zones.Get(
        zone_service_pb2.ZoneServiceGetRequest(zone="shop"), metadata=await authority.operator()
    )
    assert told.zone.settings.retention_days == 90
    for days in (-1, 36_501):
        wrong = authority.apply(shop(settings={"retention_days": days}))
        assert await reason_of(wrong) is Reason.FIELD_INVALID
