"""Rego by rego-cpp, in process: the independent second engine, slower and written by others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import regopy

from caracal_grpc.core.decision import Decision, PolicyInput, parse_result
from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.reason import Reason
from caracal_grpc.policy.bundle import Bundle
from caracal_grpc.policy.regorus import require_sound
from caracal_grpc.policy.thread import OwnThread, closed

if TYPE_CHECKING:
    from collections.abc import Mapping

_QUERY: Final = "result = data.caracal.authz.result"


class RegopyPolicy:
    """A policy compiled by rego-cpp; of use on the thread that compiled it only."""

    def __init__(self, bundle: Bundle) -> None:
        self.version = bundle.version
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

    def decide(self, document: PolicyInput) -> Decision:
        """The answer to `document`; raises `POLICY_FAILED` for anything but a usable answer."""
        self._thread.require()
        if self._engine is None:
            raise closed()
        try:
            self._engine.set_input(dict(document))
            output = self._engine.query_bundle(self._plan)
        except (regopy.RegoError, ValueError, TypeError) as exc:
            raise _failed() from exc
        if not output.ok() or len(output) != 1:
            raise _failed()
        return parse_result(output[0].bindings.get("result"))


class RegopyEngine:
    """The engine `regopy` (`policy.port.Engine`)."""

    def compile(self, modules: Mapping[str, str], data: Mapping[str, Any]) -> RegopyPolicy:
        """The policy of `modules` over `data`; raises `FIELD_INVALID` naming each fault's place."""
        bundle = Bundle.of(modules, data)
        require_sound(bundle)
        return RegopyPolicy(bundle)


def _refused() -> CaracalError:
    return field_invalid("modules", "are not accepted by rego-cpp; use the engine regorus")


def _failed() -> CaracalError:
    text = "the policy failed on this request; correct the active policy"
    return CaracalError(Reason.POLICY_FAILED, text)
