"""Whatever is signed and sent along: a call that is not answered with OK ran nothing."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, suppress
from typing import Any

import grpc
import grpc.aio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import to_claims
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto import jws
from tests.support.echo import AIO_METHODS, SYNC_METHODS, path, text
from tests.support.echo_client import Metadata
from tests.support.echo_server import Setup, Stage, aio_stage, sync_stage
from tests.support.keys import ISSUER, RESOURCE, ZONE, Mint, chain

MINT = Mint()
PLAIN = to_claims(MINT.mandate())
DELEGATED = to_claims(MINT.mandate(**chain(2)))
NAMES = sorted({*PLAIN, *DELEGATED, "act", "cnf", "approval_id", "nbf", "extra"})
NEVER = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN}

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from([ISSUER, ZONE, RESOURCE, "echo:call", "resource", "session", 1 << 70, -1]),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
changes = st.one_of(
    st.just({}),
    st.dictionaries(st.sampled_from(NAMES), values, max_size=3),
    st.dictionaries(st.text(max_size=8), values, max_size=3),
)
printable = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=40)
entries = st.one_of(
    st.tuples(st.sampled_from(["x-any", "x-other", "authorization"]), printable),
    st.tuples(st.sampled_from(["x-any-bin", "authorization-bin"]), st.binary(max_size=40)),
)


@st.composite
def calls(draw: st.DrawFn) -> tuple[bool, Metadata]:
    """Metadata around a token of random claims; and whether an honest client could have sent it."""
    changed, lost = draw(changes), draw(st.sets(st.sampled_from(NAMES), max_size=1))
    now = int(time.time())  # PLAIN was made when this file was loaded, maybe long ago
    claims = {**draw(st.sampled_from([PLAIN, DELEGATED])), "iat": now, "exp": now + 300, **changed}
    lost &= draw(st.sampled_from([lost, set()]))
    token = _signed({name: value for name, value in claims.items() if name not in lost})
    before, after = (draw(st.lists(entries, max_size=2)) for _ in "ab")
    bearers = draw(st.sampled_from([1, 1, 1, 0, 2]))
    metadata = (*before, *[("authorization", f"Bearer {token}")] * bearers, *after)
    count = sum(key == "authorization" for key, _ in metadata)
    return (not changed and not lost and bearers == count == 1), metadata


def _signed(claims: dict[str, Any]) -> str:
    try:
        return jws.sign(MINT.key, claims)
    except CaracalError as error:
        assert error.reason is Reason.MANDATE_TOO_LARGE
        return "too.large."


async def _status(stage: Stage, method: str, metadata: Metadata) -> grpc.StatusCode:
    """The status of one call with one request, of any arity: on the wire they are the same."""
    stage.journal.ran.clear()
    call = stage.client.channel.unary_stream(path(method))(
        text("hi").SerializeToString(), metadata=metadata, timeout=20
    )
    with suppress(grpc.aio.AioRpcError):
        while await call.read() is not grpc.aio.EOF:
            pass
    code: grpc.StatusCode = await call.code()
    return code


@pytest.mark.parametrize(
    ("make", "methods"), [(aio_stage, AIO_METHODS), (sync_stage, SYNC_METHODS)], ids=["aio", "sync"]
)
def test_a_call_that_is_refused_ran_nothing(make: Any, methods: tuple[str, ...]) -> None:
    """Random claims under a good signature, any metadata around it, on a real server.

    Nothing of it is an error of the server, and a good call among the others is served.
    """
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        exits = AsyncExitStack()
        stage: Stage = runner.run(exits.enter_async_context(make(Setup(mint=MINT))))

        @given(call=calls(), method=st.sampled_from(methods))
        @settings(max_examples=250, deadline=None)
        def holds(call: tuple[bool, Metadata], method: str) -> None:
            good, metadata = call
            code = runner.run(_status(stage, method, metadata))
            assert code not in NEVER
            assert stage.journal.ran == ([method] if code is grpc.StatusCode.OK else [])
            assert code is grpc.StatusCode.OK or not good

        try:
            holds()
        finally:
            runner.run(exits.aclose())
