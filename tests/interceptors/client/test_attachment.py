"""Which mandate a call is to have, before anybody is asked for one."""

from __future__ import annotations

import grpc
import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import MAX_ANY_SCOPES, MAX_METADATA_BYTES, MAX_SCOPES
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.client.aio import interceptors as client_aio
from caracal_grpc.interceptors.client.aio.tokens import AioTokens
from caracal_grpc.interceptors.client.attachment import Attachment, OnBehalf
from caracal_grpc.interceptors.client.choices import Choices
from caracal_grpc.interceptors.client.sync import interceptors as client_sync
from caracal_grpc.interceptors.client.sync.tokens import SyncTokens
from caracal_grpc.interceptors.client.tokens import Ask
from caracal_grpc.interceptors.rules.rules import Rules
from caracal_grpc.interceptors.status import from_rpc_error
from tests.interceptors.calling import say_aio, say_sync
from tests.interceptors.support import METHODS, RESOURCE, RULES, Echo, FakeAuthority, calls

BOUND = Rules.from_mapping(
    {
        f"/echo.v1.Echo/{name}": {"resource": RESOURCE, "scopes": ["echo:say"], "bound": True}
        for name in METHODS
    }
)
LARGE = (("x-large", "x" * MAX_METADATA_BYTES),)


def require_too_large(error: grpc.RpcError) -> None:
    """Fails unless `error` says how much metadata there may be."""
    refusal = from_rpc_error(error)
    assert refusal is not None
    assert refusal.reason is Reason.METADATA_TOO_LARGE
    assert refusal.metadata == {"limit": str(MAX_METADATA_BYTES)}


def require_told(error: grpc.RpcError) -> None:
    """Fails unless `error` says what to do about a mandate that is not bound."""
    refusal = from_rpc_error(error)
    assert refusal is not None
    assert refusal.reason is Reason.BINDING_MISMATCH
    assert "cert_file" in refusal.message


@pytest.mark.parametrize("name", METHODS)
async def test_a_channel_without_binding_does_not_ask_for_a_method_of_bound_mandates(
    address: str, tokens: AioTokens, authority: FakeAuthority, echo: Echo, name: str
) -> None:
    """No mandate that it could get would do."""
    ours = client_aio.client_interceptors(tokens, BOUND, on_behalf="self")
    async with grpc.aio.insecure_channel(address, interceptors=ours) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await say_aio(calls(channel), name)
    require_told(caught.value)
    assert (authority.count, echo.calls) == (0, [])


@pytest.mark.parametrize("name", METHODS)
def test_a_sync_channel_without_binding_does_not_either(
    sync_address: str, sync_tokens: SyncTokens, authority: FakeAuthority, echo: Echo, name: str
) -> None:
    """The same for threads."""
    ours = client_sync.client_interceptors(sync_tokens, BOUND, on_behalf="self")
    with grpc.insecure_channel(sync_address) as channel, pytest.raises(grpc.RpcError) as caught:
        say_sync(calls(grpc.intercept_channel(channel, *ours)), name)
    require_told(caught.value)
    assert (authority.count, echo.calls) == (0, [])


@pytest.mark.parametrize("mode", ["exchange", "either", "self"])
def test_a_channel_with_binding_asks_for_a_bound_mandate(mode: OnBehalf) -> None:
    """As for any method."""
    attachment = Attachment(BOUND, mode, binding="B" * 43)
    ask = attachment.plan("/echo.v1.Echo/UnaryUnary", None, "callers.token", None)
    assert isinstance(ask, Ask)
    assert ask.binding == "B" * 43


def test_a_mandate_that_is_sent_on_is_bound_to_nobody_here() -> None:
    """A caller's is bound to his certificate, if to any."""
    attachment = Attachment(BOUND, "forward", binding="B" * 43)
    with pytest.raises(CaracalError) as caught:
        attachment.plan("/echo.v1.Echo/UnaryUnary", None, "callers.token", None)
    assert caught.value.reason is Reason.BINDING_MISMATCH


def test_the_largest_rule_asks_for_no_more_than_the_authority_takes() -> None:
    """All its scopes, and one of several."""
    entry = {
        "resource": RESOURCE,
        "scopes": [f"all:{number}" for number in range(MAX_SCOPES - 1)],
        "any_scopes": [f"any:{number}" for number in range(MAX_ANY_SCOPES)],
    }
    ask = Attachment(Rules.from_mapping({"/s/M": entry}), "self").plan("/s/M", None, None, None)
    assert isinstance(ask, Ask)
    assert {len(choice.scopes) for choice in Choices().of(ask)} == {MAX_SCOPES}


@pytest.mark.parametrize("name", METHODS)
async def test_nobody_is_asked_for_a_mandate_that_could_not_be_sent(
    address: str, tokens: AioTokens, authority: FakeAuthority, echo: Echo, name: str
) -> None:
    """Metadata over the budget is refused before anything goes out."""
    ours = client_aio.client_interceptors(tokens, RULES, on_behalf="self")
    async with grpc.aio.insecure_channel(address, interceptors=ours) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await say_aio(calls(channel), name, metadata=LARGE)
    require_too_large(caught.value)
    assert (authority.count, echo.calls) == (0, [])


@pytest.mark.parametrize("name", METHODS)
def test_nobody_is_asked_by_a_thread_either(
    sync_address: str, sync_tokens: SyncTokens, authority: FakeAuthority, echo: Echo, name: str
) -> None:
    """The same for threads."""
    ours = client_sync.client_interceptors(sync_tokens, RULES, on_behalf="self")
    with grpc.insecure_channel(sync_address) as channel, pytest.raises(grpc.RpcError) as caught:
        say_sync(calls(grpc.intercept_channel(channel, *ours)), name, metadata=LARGE)
    require_too_large(caught.value)
    assert (authority.count, echo.calls) == (0, [])
