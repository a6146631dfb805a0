"""`audit receipt`, `checkpoint`, `consistency`, parts of a ledger, and checking it all offline."""

from __future__ import annotations

import json
import os
import threading
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from caracal_grpc.crypto.ledger_key import LedgerKey, verify_ed25519
from caracal_grpc.ledger.notes.cosignature import cosign, witness_key
from caracal_grpc.ledger.notes.note import VerifierKey, sign_head, verifier_key
from tests.cli.conftest import Shop
from tests.cli.support import Dev, Ended, caracal
from tests.ledger import auditor
from tests.ledger.support import Key


class Desk:
    """An auditor's: a folder, and the ledger of a zone with a few decisions in it.

    `first` was exported when `issued` was its last entry.
    """

    def __init__(self, dev: Dev, shop: Shop, folder: Path, first: str, issued: str) -> None:
        self._dev, self._shop, self.folder = dev, shop, folder
        self.issued = issued
        self.key = str(json.loads(first.splitlines()[0])["verifier_key"])
        (folder / "first").write_text(first)

    def run(self, *arguments: str | Path) -> Ended:
        """Runs `audit` as the operator."""
        return self._dev.run("audit", *arguments, "--zone", self._shop.zone)

    def json(self, *arguments: str | Path) -> Any:
        """What a command that succeeds says with `--json`."""
        ended = self.run(*arguments, "--json")
        assert ended.code == 0, ended.err
        return ended.json

    def fetched(self, *arguments: str | Path, name: str) -> Path:
        """The file that a command that succeeds writes."""
        file = self.folder / name
        ended = self.run(*arguments, "--out", file)
        assert ended.code == 0, ended.err
        assert file.stat().st_mode & 0o777 == 0o600
        return file

    def verify(self, file: Path, *more: str | Path) -> Ended:
        """Offline, with the key of the zone: no profile, and nothing that reaches an authority."""
        command = ("audit", "verify", file, "--key", self.key, *more)
        return caracal(*command, HOME="/nonexistent", PATH="/nonexistent")


def decide(shop: Shop) -> str:
    """One more entry; its id."""
    return str(shop.as_agent("exchange", "resource://orders", "--json").json["audit_id"])


@pytest.fixture(scope="module")
def exported(dev: Dev, shop: Shop) -> tuple[str, str]:
    """The ledger as a file, and its last entry."""
    issued = decide(shop)
    file = shop.folder / "first"
    assert dev.run("audit", "export", file, "--zone", shop.zone).code == 0
    return file.read_text(), issued


@pytest.fixture
def desk(dev: Dev, shop: Shop, exported: tuple[str, str], tmp_path: Path) -> Desk:
    """The auditor's."""
    return Desk(dev, shop, tmp_path, *exported)


def kinds(ended: Ended) -> list[str]:
    """What was found."""
    return [finding["kind"] for finding in ended.json["findings"]]


def test_a_part_of_a_ledger_is_exported_and_verifies(desk: Desk) -> None:
    """By itself; another verifier agrees."""
    file = desk.folder / "part"
    told = desk.json("export", file, "--from", "1", "--until", "3")
    assert (told["entries"], told["start"]) == (2, 1)
    ended = desk.verify(file, "--json")
    assert (ended.code, ended.json["entries"], ended.json["start"]) == (0, 2, 1)
    assert auditor.audit_file(file.read_text().splitlines(), desk.key) == (1, 3)


def test_ledger_of_the_authority_itself_verifies_as_any_other(desk: Desk, dev: Dev) -> None:
    """Each zone has a key of its own: that of another is not taken for it."""
    file = desk.folder / "own"
    told = dev.run("audit", "export", file, "--zone", "caracal", "--json").json
    ended = caracal("audit", "verify", file, "--key", told["verifier_key"], "--json")
    assert (ended.code, ended.json["entries"]) == (0, told["entries"])
    assert auditor.audit_file(file.read_text().splitlines(), told["verifier_key"])[1] > 0
    assert set(kinds(desk.verify(file, "--json"))) == {"key", "foreign"}


def test_one_entry_is_exported_by_its_id(desk: Desk) -> None:
    """And no other."""
    file = desk.folder / "one"
    desk.json("export", file, "--entry", desk.issued)
    (line,) = file.read_text().splitlines()[1:]
    assert desk.issued in line
    assert "verifies: 1 entry from" in desk.verify(file).out


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--entry", "aud_01h455vb4pex5vsknk084sn02q"), 3),
        (("--entry", "x", "--from", "1"), 2),
        (("--from", "999999"), 2),
        (("--from", "3", "--until", "2"), 2),
        (("--until", "0"), 2),
        (("--from", "-1"), 2),
    ],
)
def test_what_there_is_not_is_not_exported(desk: Desk, options: tuple[str, ...], code: int) -> None:
    """One line that says so, and no file."""
    file = desk.folder / "none"
    assert desk.run("export", file, *options).code == code
    assert not file.exists()


@pytest.mark.parametrize("by", ["id", "index"])
def test_a_receipt_is_fetched_and_proves_its_entry(desk: Desk, by: str) -> None:
    """Named by its id or its place; another verifier agrees."""
    index = len((desk.folder / "first").read_text().splitlines()) - 2
    file = desk.fetched("receipt", desk.issued if by == "id" else str(index), name="receipt")
    ended = desk.verify(file, "--json")
    assert (ended.code, ended.json["start"], ended.json["entries"]) == (0, index, 1)
    assert auditor.audit_receipt(json.loads(file.read_text()), desk.key) == index


def test_a_receipt_without_a_file_goes_to_stdout(desk: Desk) -> None:
    """As one line of JSON."""
    assert desk.issued in _canonical(desk.run("receipt", desk.issued).json)


def _canonical(receipt: Any) -> str:
    return b64decode(receipt["canonical"]).decode()


def test_a_changed_receipt_does_not_verify(desk: Desk) -> None:
    """Exit code 6, naming the entry; what is none any more is malformed."""
    file = desk.fetched("receipt", desk.issued, name="receipt")
    told = json.loads(file.read_text())
    file.write_text(json.dumps({**told, "hashes": told["hashes"][1:]}))
    assert kinds(desk.verify(file, "--json")) == ["root"]
    file.write_text(json.dumps({**told, "index": "many"}))
    ended = desk.verify(file, "--json")
    assert (ended.code, kinds(ended)) == (6, ["malformed"])


def test_a_checkpoint_is_kept_and_compared(desk: Desk, shop: Shop) -> None:
    """The note of one day, and the export of a later one."""
    kept = desk.fetched("checkpoint", name="checkpoint")
    assert auditor.signed_head(kept.read_text(), desk.key)
    decide(shop)
    file = desk.folder / "later"
    desk.json("export", file)
    assert desk.verify(file, "--checkpoint", kept).code == 0
    assert desk.run("checkpoint").out == _newest(file)


def _newest(file: Path) -> str:
    note: str = json.loads(file.read_text().splitlines()[0])["checkpoint"]
    return note


def test_an_older_export_is_connected_with_a_newer_checkpoint(desk: Desk, shop: Shop) -> None:
    """By the proof from its size to that; without it the newer entries are missing."""
    file = desk.folder / "first"
    size = len(file.read_text().splitlines()) - 1
    decide(shop)
    kept = desk.fetched("checkpoint", name="checkpoint")
    growth = desk.fetched("consistency", "--from", str(size), name="consistency")
    assert kinds(desk.verify(file, "--checkpoint", kept, "--json")) == ["tail"]
    assert desk.verify(file, "--checkpoint", kept, "--consistency", growth).code == 0
    assert json.loads(growth.read_text())["checkpoint"]["note"] == kept.read_text()


@pytest.mark.parametrize("sizes", [("999999",), ("2", "--to", "1"), ("0",)])
def test_growth_that_there_was_not_is_not_proven(desk: Desk, sizes: tuple[str, ...]) -> None:
    """Wrong usage, and no file."""
    file = desk.folder / "none"
    assert desk.run("consistency", "--from", *sizes, "--out", file).code == 2
    assert not file.exists()


def test_a_witness_can_be_asked_for(desk: Desk) -> None:
    """Whose key is given must have cosigned a checkpoint; when it did is told."""
    kept = desk.fetched("checkpoint", name="checkpoint")
    witness = Key("witness.example/w1", LedgerKey.generate().seed)
    key = str(witness_key(witness))
    file = desk.folder / "first"
    ended = desk.verify(file, "--witness", key, "--json")
    assert (ended.code, kinds(ended)) == (6, ["witness"])
    later = desk.folder / "later"
    desk.json("export", later)
    log = VerifierKey.parse(desk.key)
    kept.write_text(cosign(kept.read_text(), log, witness, 1_790_000_000, verify_ed25519))
    ended = desk.verify(later, "--checkpoint", kept, "--witness", key)
    assert (ended.code, ended.err) == (0, "")
    assert f"cosigned by {key} at 2026-09-21T14:13:20Z" in ended.out
    assert desk.verify(later, "--witness", "x").code == 2


def test_without_a_witness_there_is_no_cosigned_checkpoint(desk: Desk) -> None:
    """It says so."""
    ended = desk.run("checkpoint", "--cosigned")
    assert ended.code == 3
    assert ended.line == "no witness has cosigned a checkpoint of this zone yet"


def test_a_fork_is_named_with_both_checkpoints(desk: Desk) -> None:
    """Two notes that one key signed over as many entries."""
    forger = Key("authority.example/zones/shop", bytes(32))
    file = desk.folder / "forked"
    lines = (desk.folder / "first").read_text().splitlines()
    header = json.loads(lines[0])
    size = len(lines) - 1
    root = auditor.mth([bytes.fromhex(json.loads(line)["leaf"]) for line in lines[1:]])
    header |= {"origin": forger.name, "verifier_key": verifier_key(forger)}
    header["checkpoint"] = sign_head(forger, size, root)
    file.write_text("\n".join([json.dumps(header), *lines[1:]]) + "\n")
    other = desk.folder / "other"
    other.write_text(sign_head(forger, size - 1, bytes(32)))
    desk.key = verifier_key(forger)
    assert desk.verify(file).code == 0
    ended = desk.verify(file, "--checkpoint", other)
    assert ended.code == 6
    assert f"entry 0: fork: the given checkpoint over {size - 1} entries" in ended.out


@pytest.mark.parametrize("option", ["--checkpoint", "--consistency"])
def test_what_cannot_be_read_is_wrong_usage(desk: Desk, option: str) -> None:
    """A file that is not there, or holds something else."""
    other = desk.folder / "other"
    other.write_bytes(b"\xff")
    for file in (other, desk.folder / "gone"):
        ended = desk.verify(desk.folder / "first", option, file)
        assert ended.code == 2
        assert f"{option} {file} cannot be read" in ended.line


def test_a_pipe_is_read_once(desk: Desk) -> None:
    """An export that comes through one is checked as it comes."""
    pipe = desk.folder / "pipe"
    os.mkfifo(pipe)
    text = (desk.folder / "first").read_text()
    writing = threading.Thread(target=pipe.write_text, args=(text,))
    writing.start()
    ended = desk.verify(pipe)
    writing.join()
    assert ended.code == 0, ended.err


def test_proofs_are_for_those_who_may_read(desk: Desk, shop: Shop) -> None:
    """An application without the scope gets none of them."""
    for command in (("receipt", desk.issued), ("checkpoint",), ("consistency", "--from", "1")):
        assert shop.as_agent("audit", *command).code == 1
