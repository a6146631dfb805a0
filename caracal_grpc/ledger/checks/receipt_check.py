"""Checking the receipt of one entry: that it is what it says, and under a signed root."""

from __future__ import annotations

from dataclasses import dataclass

from caracal_grpc.ledger.checks.file_check import name_of, read_event
from caracal_grpc.ledger.checks.finding import Findings, Report
from caracal_grpc.ledger.checks.heads import Heads, SignedHead, Trust, uncompared_text
from caracal_grpc.ledger.entries.disclosure import committed
from caracal_grpc.ledger.notes.note import NoteError, VerifierKey, Verify
from caracal_grpc.ledger.tree import EMPTY_ROOT, leaf_hash
from caracal_grpc.ledger.trees.proof import verify_inclusion

_OWN = "the checkpoint of the receipt"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a receipt says: an entry, its place, and the way from it to a signed root.

    `canonical` is empty when the entry was pruned. `verifier_key` is the receipt's own word.
    """

    zone: str
    index: int
    leaf: bytes
    canonical: bytes
    hashes: tuple[bytes, ...]
    checkpoint: str
    verifier_key: str


def check_receipt(evidence: Evidence, trust: Trust, verify: Verify) -> Report:
    """Everything that is wrong with a receipt."""
    findings = Findings()
    try:
        key = trust.key or VerifierKey.parse(evidence.verifier_key)
    except NoteError as exc:
        findings.add(None, "malformed", f"the key of the receipt {exc}")
        return Report(0, EMPTY_ROOT, 0, findings.in_order(), "", pinned=False)
    if evidence.verifier_key != str(key):
        findings.add(None, "key", f"the receipt names another key than {key}")
    heads = Heads(key, verify, findings)
    own = heads.take(_OWN, evidence.checkpoint, trust)
    _check_entry(evidence, findings)
    _check_way(evidence, own, findings)
    compared = [own] if own else []
    for each in heads.unconnected(compared, trust.growth, evidence.index + 1):
        text = uncompared_text(each, "receipt", own.head.size if own else evidence.index + 1)
        findings.add(None, "consistency", text)
    pruned = not evidence.canonical
    return Report(
        entries=1,
        root=own.head.root if own else EMPTY_ROOT,
        size=heads.size,
        cosigned=heads.cosigned(trust.witnesses),
        findings=findings.in_order(),
        verifier_key=str(key),
        pinned=trust.key is not None,
        start=evidence.index,
        pruned=int(pruned),
        pruned_end=evidence.index + 1 if pruned else 0,
        withheld=int(bool(committed(read_event(evidence.canonical)))),
    )


def _check_entry(evidence: Evidence, findings: Findings) -> None:
    """Whether the entry has its hash, and is of the zone and the place that the receipt says."""
    if not evidence.canonical:
        return
    index = evidence.index
    event = read_event(evidence.canonical)
    name = name_of(event)
    if leaf_hash(evidence.canonical) != evidence.leaf:
        text = f"the entry {name} does not have the leaf hash beside it"
        findings.add(index, "changed", text)
    if event.get("zone") != evidence.zone:
        findings.add(index, "foreign", f"the entry {name} is not of zone {evidence.zone}")
    if event.get("index") != index:
        text = f"the receipt is for entry {index}, but {name} says that it is {event.get('index')}"
        findings.add(index, "moved", text)


def _check_way(evidence: Evidence, own: SignedHead | None, findings: Findings) -> None:
    """Whether the proof leads from the entry to the signed root."""
    if own is None:
        return
    size, root = own.head.size, own.head.root
    if not verify_inclusion(evidence.index, size, evidence.leaf, evidence.hashes, root):
        text = f"the proof does not lead from entry {evidence.index} to the root over {size}"
        findings.add(evidence.index, "root", text)
