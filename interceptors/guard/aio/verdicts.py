"""The verdicts of a guard on calls that somebody else serves: the proxy that asks enforces them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ids import AUDIT
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.rule import Rule
from caracal_grpc.crypto.system import SystemIds
from caracal_grpc.interceptors.feed.view import View
from caracal_grpc.interceptors.guard.aio.spending import spend
from caracal_grpc.interceptors.guard.behind import Behind
from caracal_grpc.interceptors.guard.consumer import AioConsumer
from caracal_grpc.interceptors.guard.gate import Admission, OnRefusal, Recorder, RuleSource
from caracal_grpc.interceptors.guard.observed import gate_of
from caracal_grpc.interceptors.guard.verifier import Verifier
from caracal_grpc.interceptors.observer import Observer

Metadata = Iterable[tuple[str, str | bytes]]

_ANY: Final = Rule("", "resource://any", frozenset({"any"}))
"""Stands for the rule of a mandate that is not read yet."""

_IDS: Final = SystemIds()


class AioVerdicts:
    """Judges calls as an `AioGuard` does, by the same gate, and runs no handler.

    A verdict is of its moment: nobody here hears of the end of a call, so what lasts is the
    proxy's to end. Refusals are recorded and observed as a guard's are, and so is what is let in.
    """

    def __init__(
        self,
        view: View,
        rules: RuleSource,
        verifier: Verifier,
        *,
        on_refusal: OnRefusal | None = None,
        recorder: Recorder | None = None,
        observer: Observer | None = None,
        consumer: AioConsumer | None = None,
    ) -> None:
        self.rules = rules
        self._verifier = verifier
        self._gate = gate_of(rules, view, verifier, on_refusal, recorder, observer)
        self._consumer = consumer

    @property
    def ready(self) -> bool:
        """Whether calls are judged at all: the view is young enough."""
        return self._verifier.fresh

    @property
    def slack(self) -> float:
        """Seconds for which it will judge by what it knows now, should it hear nothing more."""
        return self._verifier.slack

    @property
    def open_streams(self) -> int:
        """How many streams it can cut: none."""
        return 0

    async def on(
        self,
        method: str,
        rule: Rule | None,
        metadata: Metadata,
        peer: Behind,
        request: object = None,
        *,
        use: str = "",
    ) -> Admission:
        """The admission of a call that may go on now; raises the refusal of one that may not.

        `rule` is that of the method, and `request` what a rule looks at whose resource depends on
        the request. `use` names this one use of a mandate that is taken once, `req_…`: asked again
        by the same name it is the same use. A refusal has the `decision_id` of its record among its
        metadata, when it is recorded. The admission of a public call always has one: no mandate
        names an entry that explains it.
        """
        gate = self._gate
        admission = gate.read(method, rule, metadata)
        admission.use = use
        public = rule is not None and rule.public
        try:
            if rule is not None and rule.single_use:
                await spend(gate, self._consumer, admission, peer, request)
            if not public or admission.error is not None:
                gate.judge(admission, peer, request)
        except CaracalError as error:
            self._refused(admission, error)
            raise
        if not public:
            gate.admitted(admission)
            return admission
        gate.sampled(admission)
        admission.decision_id = admission.decision_id or _IDS.new(AUDIT)
        return admission

    def forwarded(
        self,
        method: str,
        metadata: Metadata,
        rule_of: Callable[[Mandate], Rule],
        proven: Callable[[str], str | None],
    ) -> Admission:
        """The admission of the mandate that a call brings, which is not for its method.

        Whoever makes the call was handed that mandate and wants to act on behalf of its holder.
        `rule_of` says what the mandate has to permit, or raises why it has no business here;
        `proven` of its text is the thumbprint that its holder is known to have shown. Raises the
        refusal, as `on` says of it.
        """
        gate = self._gate
        admission = gate.read(method, _ANY, metadata)
        try:
            if admission.mandate is not None:
                admission.rule = rule_of(admission.mandate)
            gate.judge(admission, Behind(proven(admission.token)))
        except CaracalError as error:
            self._refused(admission, error)
            raise
        return admission

    def check(
        self, token: str, rule: Rule, binding: str | None = None, request: object = None
    ) -> Mandate:
        """The mandate in `token` when a guard with `rule` would let it in; raises why not.

        Nothing is recorded: it is for a mandate of ours, before it goes to that guard.
        """
        reading = self._verifier.read(token)
        self._verifier.judge(reading, rule, binding, request)
        return reading.mandate

    def refuse(self, method: str, error: CaracalError, metadata: Metadata = ()) -> None:
        """Has the refusal of a call recorded that could not even be judged; as `on` says of it."""
        self._refused(self._gate.read(method, None, metadata), error)

    def _refused(self, admission: Admission, error: CaracalError) -> None:
        self._gate.refused(admission, error)
        if admission.decision_id:
            error.metadata["decision_id"] = admission.decision_id
