"""Rego by regorus: the default engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caracal_grpc.core.decision import Decision, parse_result
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.policy.bundle import Bundle
from caracal_grpc.policy.port import Explanation
from caracal_grpc.policy.thread import OwnThread, closed
from caracal_grpc.policy.tracing import Tracer, tracer
from caracal_grpc.policy.workbench import (
    RESULT,
    compiled,
    compiled_in_turns,
    is_panic,
    require_sound,
    without_backtrace,
)

if TYPE_CHECKING:
    import regorus


class RegorusEvaluator:
    """The evaluator `regorus` (`policy.evaluator.Evaluator`)."""

    def __init__(self, bundle: Bundle, engine: regorus.Engine) -> None:
        self._bundle = bundle
        self._thread = OwnThread()
        self._engine: regorus.Engine | None = engine
        self._tracer: Tracer | None = None

    @classmethod
    def of(cls, bundle: Bundle) -> RegorusEvaluator:
        """What the engine makes of `bundle`; raises `FIELD_INVALID`."""
        require_sound(bundle)
        return cls(bundle, compiled(bundle))

    @classmethod
    async def in_turns(cls, bundle: Bundle) -> RegorusEvaluator:
        """The same, while others have their turn."""
        require_sound(bundle)
        return cls(bundle, await compiled_in_turns(bundle))

    def decide(self, question: str) -> Decision:
        """The answer to `question`; raises `POLICY_FAILED` for anything but a usable answer."""
        self._thread.require()
        if self._engine is None:
            raise closed()
        try:
            # As JSON, not as objects: a lone surrogate in an object is a segmentation fault.
            self._engine.set_input_json(question)
            value = self._engine.eval_rule(RESULT)
        except BaseException as exc:  # noqa: BLE001 - a panic is no Exception; others are raised
            self._recover(exc)
            raise CaracalError(
                Reason.POLICY_FAILED, "the policy failed on this request; correct the active policy"
            ) from without_backtrace(exc)
        return parse_result(value)

    def explain(self, question: str) -> Explanation:
        """The answer with the rules behind it: of the built-in module, the grants."""
        try:
            decision, failure = self.decide(question), ""
        except CaracalError as error:
            decision, failure = None, error.message
        if self._tracer is None and self._engine is not None:
            self._tracer = tracer(self._bundle, self._engine)
        rules = self._tracer.rules(question) if self._tracer else ()
        return Explanation(decision, rules, failure)

    def close(self) -> None:
        """Frees the engine; every later decision fails."""
        self._thread.require()
        self._engine = self._tracer = None

    def _recover(self, exc: BaseException) -> None:
        """Compiles anew after a panic of the engine; lets an interruption of the process pass."""
        if isinstance(exc, Exception):
            return
        if not is_panic(exc):
            raise exc
        self._engine = compiled(self._bundle)
