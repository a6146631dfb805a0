"""What an edge asks its own authority for, in one word for both stacks."""

from __future__ import annotations

from typing import Any, Final

import grpc

from caracal_grpc.core.limits import AUTHORITY_RESOURCE
from caracal_grpc.interceptors.client.tokens import Ask
from caracal_grpc.interceptors.client.tries import is_renewable
from caracal_grpc.interceptors.sessions.methods import Method
from caracal_grpc.interceptors.status import read_refusal

CONTROL_TIMEOUT: Final = 10.0
"""Seconds for one call, the exchange for its mandate included."""

END_TIMEOUT: Final = 5.0
"""Seconds that the end of a session may hold up whoever leaves it."""


class Control:
    """Calls of the application itself, in its standing session.

    They take the connection of its exchanges: what one replica was told is known there at once.
    """

    def __init__(self, channel: Any, tokens: Any, binding: str | None) -> None:
        self._channel = channel
        self._tokens = tokens
        self._binding = binding
        self._callables: dict[Method, Any] = {}

    def ask(self, method: Method) -> Ask:
        """The mandate that `method` takes."""
        scopes = frozenset({method.scope})
        return Ask(AUTHORITY_RESOURCE, scopes, ttl=method.ttl, binding=self._binding)

    def _callable(self, method: Method) -> Any:
        found = self._callables.get(method)
        if found is None:
            found = self._callables[method] = getattr(method.stub(self._channel), method.name)
        return found

    def _is_over(self, method: Method, error: grpc.RpcError, token: str) -> bool:
        """Whether `token` was refused and is worth replacing.

        A refusal with an entry in the ledger is not of the mandate that went along, but of one
        within the request.
        """
        raised: Any = error
        refusal = read_refusal(raised.trailing_metadata())
        if refusal is not None and "audit_id" in refusal.metadata:
            return False
        if not is_renewable(raised.code(), raised.trailing_metadata()):
            return False
        return bool(self._tokens.drop(self.ask(method), token))
