"""The short words in which these tests speak of sessions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any

from caracal_grpc.authority.sessions.start import SessionStart
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.session import Session
from caracal_grpc.core.user import User
from caracal_grpc.core.verdict import subject_token_invalid
from tests.support.rig import Rig

ANNA = User("https://login.example", "anna", "login/anna")


@dataclass
class KnownUsers:
    """Knows users by tokens that are only names, and counts how often it was asked."""

    known: dict[str, User] = field(default_factory=lambda: {"token-of-anna": ANNA})
    asked: int = 0

    async def user(self, zone: str, id_token: str) -> User:
        """The user of the token, after a while in which others run."""
        self.asked += 1
        await asyncio.sleep(0)
        if id_token not in self.known:
            raise subject_token_invalid(Reason.MANDATE_SIGNATURE_INVALID)
        return self.known[id_token]


def knows_users(rig: Rig) -> KnownUsers:
    """Puts `KnownUsers` in the place of the registered issuers."""
    rig.authority.sessions._users = users = KnownUsers()
    return users


async def start(rig: Rig, caller: Mandate | str = "agent", **asked: Any) -> Session:
    """A new session of the caller, an application's name or its mandate."""
    mandate = await rig.caller(caller) if isinstance(caller, str) else caller
    started = await rig.authority.sessions.start(mandate, SessionStart("shop", **asked))
    return started.session


async def state_of(rig: Rig, session: Session) -> str:
    """What the authority says of the session now."""
    caller = rig.operator
    assert caller is not None
    return rig.authority.sessions.describe(rig.authority.sessions.get(caller, "shop", session.id))[
        1
    ]


async def end(rig: Rig, session: Session, caller: str = "agent") -> None:
    """Terminates the session."""
    await rig.authority.sessions.terminate(await rig.caller(caller), "shop", session.id, "")


async def outcomes(*asked: Awaitable[Any]) -> list[Any]:
    """What each of several at the same time answers: a value, or the reason of its refusal."""
    answers = await asyncio.gather(*asked, return_exceptions=True)
    for each in answers:
        if isinstance(each, BaseException) and not isinstance(each, CaracalError):
            raise each
    return [each.reason if isinstance(each, CaracalError) else each for each in answers]
