"""Rego by rego-cpp: the independent second engine, slower and written by others."""

from __future__ import annotations

import json
from typing import Final

import regopy

from caracal_grpc.core.decision import Decision, parse_result
from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.reason import Reason
from caracal_grpc.policy.bundle import Bundle
from caracal_grpc.policy.port import Explanation
from caracal_grpc.policy.thread import OwnThread, closed
from caracal_grpc.policy.workbench import require_sound

_QUERY: Final = "result = data.caracal.authz.result"


class RegopyEvaluator:
    """The evaluator `regopy` (`policy.evaluator.Evaluator`)."""

    def __init__(self, bundle: Bundle) -> None:
        require_sound(bundle)
        self._thread = OwnThread()
        self._engine = regopy.Interpreter()
        self._engine.log_level = regopy.LogLevel.NONE
        self._engine.strict_built_in_errors = True
        try:
            for name, source in bundle.modules.items():
                self._engine.add_module(name, source)
            self._engine.add_data_json(bundle.data_json)
            self._plan = self._engine.build(_QUERY, [])
        except (regopy.RegoError, ValueError) as exc:
            raise _refused() from exc
        if not self._plan.ok():
            raise _refused()

    def close(self) -> None:
        """Frees the engine; every later decision fails."""
        self._thread.require()
        self._engine = self._plan = None

    def explain(self, question: str) -> Explanation:
        """The answer; this engine does not say what is behind it."""
        try:
            return Explanation(self.decide(question))
        except CaracalError as failure:
            return Explanation(None, failure=failure.message)

    def decide(self, question: str) -> Decision:
        """The answer to `question`; raises `POLICY_FAILED` for anything but a usable answer."""
        self._thread.require()
        if self._engine is None:
            raise closed()
        try:
            self._engine.set_input(json.loads(question))
            output = self._engine.query_bundle(self._plan)
        except (regopy.RegoError, ValueError, TypeError, RecursionError) as exc:
            raise _failed() from exc
        if not output.ok() or len(output) != 1:
            raise _failed()
        return parse_result(output[0].bindings.get("result"))


def _refused() -> CaracalError:
    return field_invalid("modules", "are not accepted by rego-cpp; use the engine regorus")


def _failed() -> CaracalError:
    text = "the policy failed on this request; correct the active policy"
    return CaracalError(Reason.POLICY_FAILED, text)
