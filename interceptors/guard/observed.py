"""A guard that is observed: the parts that tell what was decided, and how long that took.

An edge without an observer has none of them: it is not slower by what it could tell.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.rule import Rule
from caracal_grpc.interceptors.context.current import answering
from caracal_grpc.interceptors.feed.view import View
from caracal_grpc.interceptors.guard.behind import Behind
from caracal_grpc.interceptors.guard.cache import Reading, ReadingCache
from caracal_grpc.interceptors.guard.gate import (
    Admission,
    Gate,
    OnRefusal,
    PeerContext,
    Recorder,
    RuleSource,
)
from caracal_grpc.interceptors.guard.verifier import Verifier
from caracal_grpc.interceptors.observer import Observer, tell


def gate_of(
    rules: RuleSource,
    view: View,
    verifier: Verifier,
    on_refusal: OnRefusal | None,
    recorder: Recorder | None,
    observer: Observer | None,
) -> Gate:
    """The middle of a guard: one that tells its observer, when it has one."""
    if observer is None:
        return Gate(rules, view, verifier, on_refusal, recorder)
    return ObservedGate(rules, view, verifier, on_refusal, recorder, observer)


@dataclass(slots=True)
class _Notes:
    """What is kept of one call: the seconds that reading and judging took, whether the observer
    was told how it was decided, and who is told of its cut. A cut may come at any moment.
    """

    seconds: float
    lock: threading.Lock = field(default_factory=threading.Lock)
    told: bool = False
    on_cut: Callable[[CaracalError], None] | None = None


class ObservedGate(Gate):
    """A `Gate` that tells what it decided, and how long that took."""

    def __init__(
        self,
        rules: RuleSource,
        view: View,
        verifier: Verifier,
        on_refusal: OnRefusal | None,
        recorder: Recorder | None,
        observer: Observer,
    ) -> None:
        super().__init__(rules, view, verifier, on_refusal, recorder)
        self._observer = observer

    def read(
        self, method: str, rule: Rule | None, metadata: Iterable[tuple[str, str | bytes]] | None
    ) -> Admission:
        """As in `Gate`."""
        began = time.perf_counter()
        admission = super().read(method, rule, metadata)
        admission.notes = _Notes(time.perf_counter() - began)
        return admission

    def judge(
        self, admission: Admission, context: PeerContext | Behind, request: object = None
    ) -> Mandate:
        """As in `Gate`."""
        began = time.perf_counter()
        try:
            return super().judge(admission, context, request)
        finally:
            admission.notes.seconds += time.perf_counter() - began

    def admitted(self, admission: Admission) -> None:
        """As in `Gate`."""
        super().admitted(admission)
        notes = admission.notes
        with notes.lock:
            if not notes.told:
                notes.told = True
                notes.on_cut = tell(self._observer.allowed, admission, notes.seconds)

    def refused(self, admission: Admission, error: CaracalError) -> None:
        """As in `Gate`; what comes after the handler began to run is a cut."""
        super().refused(admission, error)
        notes = admission.notes
        with answering(admission.inbound), notes.lock:
            if not notes.told:
                notes.told = True
                tell(self._observer.refused, admission, error, notes.seconds)
            elif notes.on_cut is not None:
                on_cut, notes.on_cut = notes.on_cut, None
                tell(on_cut, error)


def cache_of(observer: Observer | None) -> ReadingCache:
    """What a verifier remembers by; it tells the observer, when there is one."""
    return ReadingCache() if observer is None else ObservedCache(observer)


class ObservedCache(ReadingCache):
    """A cache that tells what was found in it."""

    __slots__ = ("_observer",)

    def __init__(self, observer: Observer) -> None:
        super().__init__()
        self._observer = observer

    def get(self, digest: bytes, now: float) -> Reading | None:
        """As in `ReadingCache`."""
        reading = super().get(digest, now)
        tell(self._observer.looked_up, reading is not None)
        return reading
