"""How tests call the echo service, and how they stand inside a handler."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from google.protobuf.wrappers_pb2 import StringValue

from caracal_grpc.core.mandate import Mandate
from caracal_grpc.interceptors.context import current

Dial = Callable[..., dict[str, Any]]
TEXT = StringValue(value="abc")


async def say_aio(stubs: dict[str, Any], name: str, **how: Any) -> str:
    """Calls `name` with `abc`, one letter a message where it streams; what came back."""
    letters = [StringValue(value=letter) for letter in "abc"]
    request = iter(letters) if name.startswith("Stream") else TEXT
    call = stubs[name](request, **how)
    if name.endswith("Stream"):
        return "".join([response.value async for response in call])
    return str((await call).value)


def say_sync(stubs: dict[str, Any], name: str, **how: Any) -> str:
    """Calls `name` with `abc`, one letter a message where it streams; what came back."""
    letters = [StringValue(value=letter) for letter in "abc"]
    request = iter(letters) if name.startswith("Stream") else TEXT
    answer = stubs[name](request, **how)
    if name.endswith("Stream"):
        return "".join(response.value for response in answer)
    return str(answer.value)


def enter_handler(token: str) -> Any:
    """Makes this context that of a guarded handler; `current.leave` undoes it."""
    mandate = Mandate(
        issuer="i", zone="shop", use="resource", resource="resource://shop", scopes=frozenset(),
        subject="u", subject_type="user", application="app_2", session="ses_u",
        root_session="ses_u", jti="mnd_u", issued_at=1, expires_at=2, policy_version="v",
        audit_id="aud_u", kid="key_1",
    )  # fmt: skip
    return current.enter(mandate, token)


def eventually(holds: Callable[[], object]) -> None:
    """Waits in this thread until `holds`, at most ten seconds."""
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.005)
