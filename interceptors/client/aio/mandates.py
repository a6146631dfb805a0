"""The mandates that our interceptors attach, for calls that somebody else makes, on one loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeVar

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.rule import Rule
from caracal_grpc.interceptors.client.aio.tokens import AioTokens
from caracal_grpc.interceptors.client.attachment import Attachment
from caracal_grpc.interceptors.client.tokens import FAILURE_PAUSE, Ask, ExchangeError
from caracal_grpc.interceptors.client.tries import RENEWABLE

_log: Final = logging.getLogger("caracal.mesh")

Held = TypeVar("Held")


class AioMandates:
    """Obtains for a proxy what the interceptors of a channel would attach to the same call.

    It is the same book and the same plan. What such a channel learns from the refusal of a call,
    which nobody here sees, is found out before: a mandate that is no longer good is replaced.
    """

    def __init__(self, tokens: AioTokens, attachment: Attachment) -> None:
        self._tokens = tokens
        self._attachment = attachment

    @property
    def binding(self) -> str | None:
        """The thumbprint of the certificate that its mandates are bound to, if they are."""
        return self._attachment.binding

    async def get(
        self,
        rule: Rule,
        caller: str | None,
        request: object,
        check: Callable[[str], Held],
        *,
        approval: str | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> tuple[str, Held]:
        """A mandate for a call of the method of `rule`, and what `check` says of it.

        `caller` is the mandate on whose behalf, `request` what names the resource when the rule
        does not, and `approval` releases what policy held. `request_id` has the same answered to
        who asks again by it; with an approval that is the approval's own. `check` raises what a
        guard at the other end would, and is asked once more of a fresh mandate when that could mend
        it. Raises `CaracalError` with the reason of the authority, within `timeout` seconds.
        """
        ask = self._attachment.wanted(rule, caller, request)
        if isinstance(ask, Ask) and approval is not None:
            ask = replace(ask, approval=approval)
        elif isinstance(ask, Ask) and request_id is not None:
            ask = replace(ask, request_id=request_id)
        now = asyncio.get_running_loop().time
        until = None if timeout is None else now() + timeout
        token = await self._token(ask, timeout)
        try:
            return token, check(token)
        except CaracalError as error:
            if not isinstance(ask, Ask) or error.reason not in RENEWABLE:
                raise
            if not self._tokens.drop(ask, token):
                raise
        token = await self._token(ask, None if until is None else max(0.0, until - now()))
        return token, check(token)

    async def _token(self, ask: Ask | str, timeout: float | None) -> str:
        if isinstance(ask, str):
            return ask
        try:
            return await self._tokens.get(ask, timeout)
        except ExchangeError as error:
            raise refusal_of(error) from error


def refusal_of(error: ExchangeError) -> CaracalError:
    """Why there is no mandate, for a caller whom nobody hands a status of gRPC on.

    It is the refusal of the authority, where there is one. Of everything else only the log knows
    more (`AUTHORITY_STALE`).
    """
    refusal = error.refusal
    if refusal is not None:
        return refusal
    _log.warning("no mandate could be had: %s", error)
    return CaracalError(
        Reason.AUTHORITY_STALE,
        "no mandate could be had in time; try again shortly, and if it stays so look into the log "
        "of the process that asked for it",
        retry_after=FAILURE_PAUSE,
    )
