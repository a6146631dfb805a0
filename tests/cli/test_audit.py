"""`audit`: search, explain, and the file that proves itself offline."""

from __future__ import annotations

import json
import re
import resource
from pathlib import Path

import pytest

from caracal_grpc.crypto.ledger_key import LedgerKey
from caracal_grpc.ledger.notes.note import VerifierKey
from tests.cli.conftest import Shop
from tests.cli.support import Dev, Ended, caracal


@pytest.fixture(scope="module")
def exported(dev: Dev, shop: Shop) -> Path:
    """The ledger of the zone, with a few decisions in it."""
    for _ in range(3):
        assert shop.as_agent("exchange", "resource://orders").code == 0
    assert shop.as_agent("exchange", "resource://payments").code == 1
    file = shop.folder / "ledger"
    written = dev.run("audit", "export", file, "--zone", shop.zone, "--json")
    assert written.code == 0, written.err
    assert written.json["entries"] == len(file.read_text().splitlines()) - 1
    return file


def _key(file: Path) -> str:
    return str(json.loads(file.read_text().splitlines()[0])["verifier_key"])


def _verify(file: Path, *more: str | Path) -> Ended:
    """Offline: no profile, and nothing that could reach an authority."""
    return caracal("audit", "verify", file, *more, HOME="/nonexistent", PATH="/nonexistent")


def _tampered(file: Path, to: Path, old: str, new: str, line: int) -> Path:
    lines = file.read_text().splitlines(keepends=True)
    assert old in lines[line]
    lines[line] = lines[line].replace(old, new)
    to.write_text("".join(lines))
    return to


def test_filters_find_what_matches(dev: Dev, shop: Shop, exported: Path) -> None:
    """All of them together, and none of the rest."""
    found = dev.run(
        *("audit", "search", "--zone", shop.zone, "--decision", "deny", "--type", "exchange"),
        *("--reason", "POLICY_DENIED", "--since", "1h", "--json"),
    ).json["entries"]
    assert [each["resource"] for each in found] == ["resource://payments"]
    assert found[0]["event"]["decision"] == "deny"
    nothing = dev.run("audit", "search", "--zone", shop.zone, "--until", "2001-01-01T00:00:00Z")
    assert nothing.out == "nothing was found\n"


def test_a_search_goes_on_where_it_ended(dev: Dev, shop: Shop, exported: Path) -> None:
    """With the token of the page before, newest first or not."""
    search = ("audit", "search", "--zone", shop.zone, "--newest", "--json")
    first = dev.run(*search, "--limit", "1").json
    second = dev.run(*search, "--limit", "1", "--page-token", first["next_page_token"]).json
    assert first["entries"][0]["index"] == second["entries"][0]["index"] + 1


def test_for_people_a_decision_is_a_line(dev: Dev, shop: Shop, exported: Path) -> None:
    """Time, entry, outcome, who, what: never folded where it is piped."""
    ended = dev.run("audit", "search", "--zone", shop.zone, "--resource", "resource://payments")
    (row,) = [line for line in ended.out.splitlines() if "aud_" in line]
    assert "deny POLICY_DENIED" in row
    assert "agent" in row


def test_a_decision_is_explained_by_any_of_its_ids(dev: Dev, shop: Shop) -> None:
    """By entry, mandate or request id: the same tree."""
    issued = shop.as_agent("exchange", "resource://orders", "--request-id", "why-1", "--json").json
    explain = ("audit", "explain", "--zone", shop.zone)
    shown = dev.run(*explain, issued["audit_id"])
    assert shown.code == 0
    mandate = re.search(r"mnd_\w+", shown.out)
    assert mandate
    assert "agent asked for" in shown.out
    assert "alive until" in shown.out
    assert dev.run(*explain, mandate[0]).out == shown.out
    assert dev.run(*explain, "why-1").out == shown.out


def test_a_decision_is_explained_from_the_mandate_itself(
    dev: Dev, shop: Shop, tmp_path: Path
) -> None:
    """From a file or stdin; what is none is refused before anything is asked."""
    issued = shop.as_agent("exchange", "resource://orders")
    file = tmp_path / "mandate"
    file.write_text(issued.out)
    explain = ("audit", "explain", "--zone", shop.zone)
    shown = dev.run(*explain, "--mandate-file", file)
    assert shown.code == 0
    assert "agent asked for" in shown.out
    file.write_text("no mandate")
    for wrong in (("--mandate-file", file), (), ("r-1", "--mandate-file", file)):
        assert dev.run(*explain, *wrong).code == 2


def test_a_decision_is_told_asked_again_and_mended(dev: Dev, shop: Shop) -> None:
    """The story in order, whether it still holds, and the grant that is missing."""
    refusal = shop.as_agent("exchange", "resource://payments")
    found = re.search(r"aud_\w+", refusal.err)
    assert found
    explain = ("audit", "explain", found[0], "--zone", shop.zone, "--reevaluate", "--suggest")
    shown = dev.run(*explain)
    assert shown.code == 0
    assert "asked again: it holds" in shown.out
    assert "which policy allows" in shown.out
    told = dev.run(*explain, "--json").json
    assert [event["kind"] for event in told["story"]][-1] == "refused"
    assert told["reevaluation"]["holds"] is True
    assert told["remedies"][-1]["who"] == "operator"


def test_what_was_not_recorded_is_not_found(dev: Dev, shop: Shop) -> None:
    """Exit code 3, saying what is not where."""
    ended = dev.run("audit", "explain", "never-asked", "--zone", shop.zone)
    assert ended.code == 3
    said = f"there is no entry never-asked in zone {shop.zone} (OBJECT_NOT_FOUND)"
    assert ended.line == said


def test_an_export_verifies_offline(exported: Path) -> None:
    """With the key pinned, and with a checkpoint kept elsewhere."""
    header = json.loads(exported.read_text().splitlines()[0])
    kept = exported.with_name("checkpoint")
    kept.write_text(header["checkpoint"])
    ended = _verify(exported, "--key", _key(exported), "--checkpoint", kept, "--json")
    assert (ended.code, ended.err) == (0, "")
    assert ended.json["verified"] is True
    assert ended.json["pinned"] is True
    assert ended.json["entries"] == ended.json["size"] >= 5


def test_an_encoding_without_our_characters_is_no_fault(exported: Path, tmp_path: Path) -> None:
    """They become question marks."""
    file = tmp_path / "n\xe4me"
    file.write_bytes(exported.read_bytes())
    ended = caracal("audit", "verify", file, PYTHONIOENCODING="ascii")
    assert ended.code == 0
    assert ended.out.startswith(f"{tmp_path / 'n?me'} verifies: ")


def test_an_export_is_private_and_replaces_nothing(dev: Dev, shop: Shop, exported: Path) -> None:
    """Mode 0600; an existing file is left alone."""
    assert exported.stat().st_mode & 0o777 == 0o600
    again = dev.run("audit", "export", exported, "--zone", shop.zone)
    assert again.code == 2
    assert "exists" in again.line


def test_a_failed_export_leaves_nothing(shop: Shop, tmp_path: Path) -> None:
    """An application without the scope gets no file, not even a part of one."""
    ended = shop.as_agent("audit", "export", tmp_path / "ledger")
    assert ended.code == 1
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_does_not_fit_leaves_nothing(dev: Dev, shop: Shop, tmp_path: Path) -> None:
    """One line with what the system says, and no file that looks whole."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, before[1]))
    try:
        ended = dev.run("audit", "export", tmp_path / "ledger", "--zone", shop.zone)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert ended.code == 2
    assert ended.line == f"{tmp_path / 'ledger'} cannot be written: File too large"
    assert list(tmp_path.iterdir()) == []


def test_a_changed_entry_is_named(exported: Path, tmp_path: Path) -> None:
    """Exit code 6, with its place."""
    file = _tampered(exported, tmp_path / "changed", "agent", "agenz", 3)
    ended = _verify(file, "--json")
    assert ended.code == 6
    assert [each["index"] for each in ended.json["findings"]] == [2]
    assert ended.line == f"{file} does not verify: 1 problem"


def test_a_removed_entry_and_a_cut_tail_are_named(exported: Path, tmp_path: Path) -> None:
    """For people: one line a place."""
    lines = exported.read_text().splitlines(keepends=True)
    removed = tmp_path / "removed"
    removed.write_text("".join([*lines[:2], *lines[3:]]))
    ended = _verify(removed, "--key", _key(exported))
    assert ended.code == 6
    assert "entry 1: removed: entry 1 is missing" in ended.out
    cut = tmp_path / "cut"
    cut.write_text("".join(lines[:-1]))
    assert f"entry {len(lines) - 2}: tail:" in _verify(cut).out


def test_another_key_does_not_verify(exported: Path) -> None:
    """The pinned key wins over what the file says."""
    name = _key(exported).partition("+")[0]
    other = str(VerifierKey(name, LedgerKey.generate().public))
    assert _verify(exported, "--key", other).code == 6
    assert _verify(exported, "--key", "nonsense").code == 2


def test_what_is_no_ledger_at_all_is_wrong_usage(tmp_path: Path) -> None:
    """One line with the path: nothing was found wrong, for nothing was checked."""
    (tmp_path / "empty").touch()
    for path, said in (
        (tmp_path / "gone", f"there is no file {tmp_path / 'gone'}; name an exported ledger"),
        (tmp_path / "empty", f"{tmp_path / 'empty'} is empty; name a file that audit export wrote"),
        (Path("/dev/null"), "/dev/null is empty; name a file that audit export wrote"),
        (tmp_path, f"{tmp_path} cannot be read: Is a directory"),
    ):
        ended = _verify(path)
        assert (ended.code, ended.line) == (2, said)


def test_other_text_is_not_taken_for_a_ledger(tmp_path: Path) -> None:
    """A header that is none could have been changed: exit code 6."""
    (tmp_path / "other").write_text("not a ledger\n")
    assert _verify(tmp_path / "other").code == 6
