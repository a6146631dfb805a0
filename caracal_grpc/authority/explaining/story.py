"""The whole story of a mandate or a refusal: what led to it, what it was used for, how it ended.

Everything is found by an index of the ledger, so the answer takes as long in a ledger of a million
entries as in one of ten. What edges report is only as complete as they sample.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from caracal_grpc.authority.audit.edge_decisions import KIND as EDGE
from caracal_grpc.authority.explaining.explanation import Story, StoryEvent
from caracal_grpc.authority.explaining.life import EXPIRED, anchors, grants, lineage, texts
from caracal_grpc.authority.explaining.steps import outcome, told, who
from caracal_grpc.authority.state.floor import raised_at
from caracal_grpc.authority.state.slices import in_slices
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.entry import MAX_INT, Entry
from caracal_grpc.ledger.entries.stored import Stored
from caracal_grpc.ledger.port import Filter, Ledger

MAX_EVENTS: Final = 1_000
_MOST: Final = 250
_PAGES: Final = 8
"""Entries of one search, and its pages: what is beyond is left out, and the story says so."""

_KINDS: Final = {
    "session.start": "started",
    "session.take_over": "started",
    "session.suspend": "revoked",
    "session.resume": "resumed",
    "delegation": "delegated",
    "revocation": "revoked",
    "key.compromise": "revoked",
    EDGE: "used",
    "mandate.consume": "used",
    "upstream.release": "used",
}
_ENDS: Final = frozenset({"revoked", "resumed"})


@dataclass(frozen=True, slots=True)
class _Found:
    entries: tuple[Stored, ...]
    cut: bool


async def tell(
    ledger: Ledger, zone: str, place: int, entry: Entry, end: StoryEvent | None
) -> Story:
    """The story around `entry`, whose index is `place`; `end` is what no entry of its own may tell.

    Raises `AUDIT_UNAVAILABLE`.
    """
    asked = _questions(entry)
    found = await asyncio.gather(*(_find(ledger, zone, each, place) for each in asked))
    readable = await in_slices((each,) for each in _readable(found))
    others = {index: each for index, each in readable if _belongs(each, entry)}
    others.pop(place, None)
    placed = [(index, _event(each)) for index, each in others.items()]
    placed += [(place, event) for event in _decision(entry)]
    placed += [(MAX_INT, end)] if end else []
    placed.sort(key=lambda each: (each[1].time_ms, each[0]))
    events = [event for _, event in placed]
    cut = any(each.cut for each in found) or len(events) > MAX_EVENTS
    return Story(tuple(events[:MAX_EVENTS]), cut)


def _questions(entry: Entry) -> list[Filter]:
    """What is asked of the ledger, each answered by one of its indexes."""
    about = {*anchors(entry), str(entry.details.get("approval", "")), entry.about} - {""}
    questions = [Filter(about=each) for each in sorted(about)]
    if entry.jti:
        questions.append(Filter(jti=entry.jti))
    if entry.request_id and entry.type == "exchange":
        named, asker = entry.request_id, entry.application
        questions.append(Filter(type="exchange", request_id=named, application=asker))
    return questions


async def _find(ledger: Ledger, zone: str, question: Filter, place: int) -> _Found:
    """The oldest, and those from `place` on when the oldest do not reach it."""
    oldest = await _oldest(ledger, zone, question)
    if not oldest.cut or (oldest.entries and oldest.entries[-1].index >= place):
        return oldest
    later = await _oldest(ledger, zone, replace(question, start=place))
    return _Found(oldest.entries + later.entries, cut=True)


async def _oldest(ledger: Ledger, zone: str, question: Filter) -> _Found:
    """The oldest, and whether there are more: a token alone may only mean that a page is brief."""
    found: list[Stored] = []
    token = ""
    for _ in range(_PAGES):
        left = _MOST + 1 - len(found)
        page = await ledger.search(zone, question, page_size=left, page_token=token, briefly=True)
        found += page.entries
        token = page.next_page_token
        if not token or len(found) > _MOST:
            break
    return _Found(tuple(found[:_MOST]), bool(token) or len(found) > _MOST)


def _readable(found: Iterable[_Found]) -> Iterable[tuple[int, Entry]]:
    """What was found and still is what was recorded, with its index."""
    for each in found:
        for stored in each.entries:
            entry = stored.entry if stored.intact else None
            if entry is not None:
                yield stored.index, entry


def _belongs(other: Entry, entry: Entry) -> bool:
    """What ended before it was asked is another's story."""
    return other.time_ms >= entry.time_ms or _KINDS.get(other.type) not in _ENDS


def _event(entry: Entry) -> StoryEvent:
    kind = _KINDS.get(entry.type, "changed")
    if entry.type.startswith("approval."):
        kind = "approval"
    if entry.decision == "deny":
        kind = "refused"
    return StoryEvent(entry.time_ms, kind, _words(entry), entry.id)


def _words(entry: Entry) -> str:
    if entry.type == EDGE:
        said = entry.details
        return f"{said.get('method')} at {said.get('edge')}: {entry.reason or 'let in'}"
    if entry.type == "exchange":
        return f"{who(entry)} asked for {entry.resource}: {outcome(entry)}"
    reason = f", {outcome(entry)}" if entry.decision == "deny" else ""
    return f"{entry.type} by {told(entry)}{reason}"


def _decision(entry: Entry) -> list[StoryEvent]:
    """What the entry itself tells, in the order in which it happened."""
    if entry.type != "exchange":
        return [_event(entry)]
    asked = " ".join(entry.requested_scopes) or "all that is granted"
    parts = [("asked", f"{who(entry)} asked for {asked} on {entry.resource}")]
    parts += [("on-behalf", text) for text in _hops(entry)]
    parts += [
        ("narrowed", f"{each.by} left {' '.join(each.kept) or 'nothing'}")
        for each in entry.narrowing
        if each.by != "policy"
    ]
    if entry.policy_version:
        said = ", ".join(entry.policy_reasons) or "no reasons given"
        parts.append(("decided", f"policy {entry.policy_version} said: {said}"))
    scopes = " ".join(entry.granted_scopes)
    ending = f"{entry.jti} for {scopes}, {outcome(entry)}" if grants(entry) else outcome(entry)
    parts.append(("issued" if grants(entry) else "refused", ending))
    return [StoryEvent(entry.time_ms, kind, text, entry.id) for kind, text in parts]


def _hops(entry: Entry) -> Iterable[str]:
    sessions, passed = texts(entry, "hop_sessions"), texts(entry, "delegations")
    for place, actor in enumerate(entry.actor_chain):
        session = sessions[place] if place < len(sessions) else "a session"
        delegation = passed[place] if place < len(passed) else ""
        how = f"by {delegation}" if delegation else "on behalf"
        yield f"passed on to {actor} in {session}, {how}"


def end_of(state: State, entry: Entry, dead_by: str) -> StoryEvent | None:
    """That it ran out, or what else no entry of its own may tell; `None` when there is no such."""
    if dead_by == EXPIRED:
        return StoryEvent(entry.expires_at * 1000, "expired", f"{entry.jti} expired")
    if dead_by == entry.zone:
        text = f"everything that was issued in {dead_by} until then was revoked"
        return StoryEvent(int(raised_at(state, dead_by) * 1000), "revoked", text)
    session = state.find_session(entry.zone, dead_by) if dead_by in lineage(entry) else None
    if session is None or session.terminated_at is None:
        return None
    time_ms = max(entry.time_ms, session.terminated_at * 1000)
    return StoryEvent(time_ms, "ended", f"{dead_by}, which it stands on, has ended")
