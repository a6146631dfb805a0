"""Keeping a compiled policy to the thread that compiled it."""

from __future__ import annotations

import threading

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason


class OwnThread:
    """Remembers the thread that made it."""

    __slots__ = ("_ident",)

    def __init__(self) -> None:
        self._ident = threading.get_ident()

    def require(self) -> None:
        """Raises `POLICY_FAILED` on any other thread: the engines are not safe to share."""
        if threading.get_ident() != self._ident:
            text = "the policy was compiled on another thread; compile one for each thread"
            raise CaracalError(Reason.POLICY_FAILED, text)


def closed() -> CaracalError:
    """The refusal to decide by a policy that was closed."""
    return CaracalError(Reason.POLICY_FAILED, "the policy was closed; decide by the active one")
