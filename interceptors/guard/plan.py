"""What there is to know of a method before any call of it, worked out once."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable
from enum import Enum
from typing import Any, Final

import grpc

from caracal_grpc.core.rule import Rule
from caracal_grpc.interceptors.guard.gate import Admission, RuleSource, unforeseen

_log: Final = logging.getLogger("caracal.guard")


class Style(Enum):
    """How a handler is written, hence how it must be called."""

    COROUTINE = "coroutine"
    ASYNC_GENERATOR = "async generator"
    SYNC = "sync"


def style_of(function: Any) -> Style:
    """How `function` is written, seen through partials, bound methods and callable objects."""
    while isinstance(function, functools.partial):
        function = function.func
    if not (inspect.isfunction(function) or inspect.ismethod(function)):
        function = type(function).__call__
    if inspect.isasyncgenfunction(function):
        return Style.ASYNC_GENERATOR
    return Style.COROUTINE if inspect.iscoroutinefunction(function) else Style.SYNC


FACTORIES: Final[dict[tuple[bool, bool], tuple[str, Callable[..., Any]]]] = {
    (False, False): ("unary_unary", grpc.unary_unary_rpc_method_handler),
    (False, True): ("unary_stream", grpc.unary_stream_rpc_method_handler),
    (True, False): ("stream_unary", grpc.stream_unary_rpc_method_handler),
    (True, True): ("stream_stream", grpc.stream_stream_rpc_method_handler),
}
"""By whether a method takes a stream and gives one: its attribute in a handler, and its maker."""


class Plan:
    """What there is to know of one method, worked out once: its rule, arity, style and handler.

    `wrap` makes the guarded behaviour for one admission.
    """

    __slots__ = (
        "_factory",
        "bare",
        "checks_each",
        "function",
        "handler",
        "method",
        "public",
        "rule",
        "streams",
        "style",
        "wrap",
    )

    def __init__(self, method: str, handler: Any, rule: Rule | None) -> None:
        self.method = method
        self.handler = handler
        self.rule = rule
        self.public = rule is not None and rule.public
        # Health and reflection: their handlers neither ask who calls nor make calls.
        self.bare = self.public and method.startswith("/grpc.")
        self.streams = (bool(handler.request_streaming), bool(handler.response_streaming))
        self.checks_each = self.streams[0] and rule is not None and rule.template is not None
        name, self._factory = FACTORIES[self.streams]
        self.function: Any = getattr(handler, name)
        self.style = style_of(self.function)
        self.wrap: Callable[[Admission], Any] = self._unwrapped

    def bind(self, admission: Admission) -> Any:
        """The handler for one call: of the same arity and style as the one that it guards.

        For a call that is refused already, it takes bytes as they come and parses none.
        """
        handler = self.handler
        if self.checks_each:
            admission.checks_each = True
        reads = handler.request_deserializer if admission.error is None else None
        return self._factory(
            self.wrap(admission),
            request_deserializer=reads,
            response_serializer=handler.response_serializer,
        )

    def _unwrapped(self, _: Admission) -> Any:
        raise unforeseen()


class Plans:
    """The plans of a server's methods: remembered while the same handler answers."""

    __slots__ = ("_make", "_plans", "_rules")

    def __init__(
        self, rules: RuleSource, make: Callable[[Plan], Callable[[Admission], Any]]
    ) -> None:
        self._rules = rules
        self._make = make
        self._plans: dict[str, Plan] = {}

    def of(self, method: str, handler: Any) -> Plan:
        """The plan of `method`; only declared methods are remembered, which bounds the memory."""
        plan = self._plans.get(method)
        if plan is not None and plan.handler is handler:
            return plan
        plan = Plan(method, handler, self._rule(method))
        plan.wrap = self._make(plan)
        if plan.rule is not None:
            self._plans[method] = plan
        return plan

    def _rule(self, method: str) -> Rule | None:
        """The rule of `method`; one that cannot be read is none, so that nobody may call."""
        try:
            return self._rules.find(method)
        except Exception:  # noqa: BLE001 - whatever happens here, the call is refused
            _log.exception("the rule of %s cannot be read", method)
            return None
