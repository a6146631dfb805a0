"""One of several scopes: which to ask the authority for, which never grants a part of a request."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.client.tokens import MAX_TOKENS, Ask, ExchangeError, Granted, Key

DENIALS: Final = frozenset(
    {
        Reason.CEILING_EXCEEDED,
        Reason.POLICY_DENIED,
        Reason.SCOPE_INSUFFICIENT,
        Reason.STEP_UP_REQUIRED,
    }
)
"""Refusals of what was asked for, where something else may be granted."""


class Choices:
    """The order in which to ask for one of `Ask.any_scopes`: as written, but first what was had.

    So a mandate is renewed in one exchange, and with the scope that it has. Remembers the least
    recently granted no longer beyond `size`. Safe between threads.
    """

    def __init__(self, size: int = MAX_TOKENS) -> None:
        self._size = size
        self._had: OrderedDict[Key, frozenset[str]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, ask: Ask) -> tuple[Ask, ...]:
        """What to ask for in turn, until one is granted; `ask` alone when it leaves no choice."""
        if not ask.any_scopes:
            return (ask,)
        with self._lock:
            had = self._had.get(ask.key)
        choices = [ask.scopes | {scope} for scope in ask.any_scopes]
        choices.sort(key=lambda scopes: scopes != had)
        return tuple(replace(ask, scopes=scopes, any_scopes=()) for scopes in choices)

    def had(self, ask: Ask, choice: Ask, granted: Granted) -> Granted:
        """`granted`, which came of asking for `choice`, one of those for `ask`."""
        if ask.any_scopes:
            with self._lock:
                self._had[ask.key] = choice.scopes
                self._had.move_to_end(ask.key)
                while len(self._had) > self._size:
                    self._had.popitem(last=False)
        return granted


class Denials:
    """What the choices that were asked for were refused with, until one is granted."""

    def __init__(self) -> None:
        self._told: list[ExchangeError] = []

    @contextmanager
    def of(self, choice: Ask) -> Iterator[None]:
        """Swallows the `ExchangeError` of a denial: the next choice may be asked for after it."""
        try:
            yield
        except ExchangeError as error:
            refusal = error.refusal
            if refusal is None or refusal.reason not in DENIALS:
                raise
            error.ask = choice
            self._told.append(error)

    def error(self) -> ExchangeError:
        """Why none was granted: the first that an approval would release, or else the last."""
        return next((each for each in self._told if is_held(each)), self._told[-1])


def is_held(error: ExchangeError) -> bool:
    """Whether policy holds the request until it is approved."""
    refusal = error.refusal
    return refusal is not None and refusal.reason is Reason.STEP_UP_REQUIRED
