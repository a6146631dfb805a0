"""What is taken of a call's metadata, and what is taken away."""

from __future__ import annotations

import threading
from typing import Any

import grpc
import pytest

from caracal_grpc.interceptors.context.inbound import (
    Inbound,
    StrippedContext,
    claimed,
    is_claim,
)

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize("value", ["x", "r-1/2:3", "!" * 128, "3f1c-4a"])
def test_a_well_formed_request_id_is_taken(value: str) -> None:
    """One word of visible ASCII, at most 128 characters."""
    assert Inbound((("x-request-id", value),)).request_id == value


@pytest.mark.parametrize(
    "metadata",
    [
        (),
        None,
        (("x-request-id", ""),),
        (("x-request-id", "!" * 129),),
        (("x-request-id", "two words"),),
        (("x-request-id", "line\nbreak"),),
        (("x-request-id", "é"),),
        (("x-request-id", b"bytes"),),
        (("x-request-id", "a"), ("x-request-id", "b")),
    ],
)
def test_any_other_request_id_is_made(metadata: Any) -> None:
    """A log line cannot be forged by one, and of two nobody knows which counts."""
    inbound = Inbound(metadata)
    assert inbound.request_id.startswith("req_")
    assert inbound.request_id == inbound.request_id


def test_threads_that_ask_at_once_get_one_request_id() -> None:
    """It is made once."""
    for _ in range(20):
        inbound, found = Inbound(()), set[str]()
        barrier = threading.Barrier(8)

        def ask(inbound: Inbound = inbound, found: set[str] = found) -> None:
            barrier.wait()  # noqa: B023 - the threads end within the turn
            found.add(inbound.request_id)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 1


@pytest.mark.parametrize("broken", ["traceparent", "tracestate", "baggage"])
def test_a_broken_part_does_not_harm_the_others(broken: str) -> None:
    """But a state without its trace means nothing."""
    good = {"x-request-id": "r", "traceparent": PARENT, "tracestate": "a=1", "baggage": "b=2"}
    carried = dict(Inbound(tuple((good | {broken: "é"}).items())).carried)
    gone = {broken, "tracestate"} if broken == "traceparent" else {broken}
    assert carried == {key: value for key, value in good.items() if key not in gone}


def test_a_call_without_claims_shows_its_own_context() -> None:
    """Nothing is put in between, though baggage and other metadata came."""
    context: Any = object()
    assert Inbound((("baggage", "a=1"), ("x-tenant", "acme"))).shown(context) is context


def test_malformed_baggage_that_names_us_is_not_shown() -> None:
    """Others may read into it what we do not."""
    inbound = Inbound((("baggage", "caracal.session=ses_1,,"), ("x-tenant", "acme")))
    assert inbound.metadata == (("x-tenant", "acme"),)


class _Context:
    """As the sync stack's: it takes attributes."""

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        """What the caller sent."""
        return (("x-caracal-subject", "admin"), ("a", "b"))

    def peer(self) -> str:
        """Who is connected."""
        return "ipv4:127.0.0.1:1"


def test_a_stripped_context_is_otherwise_the_context() -> None:
    """Of the same kind, with its methods, and with the attributes that a handler sets."""
    context = _Context()
    shown = Inbound(context.invocation_metadata()).shown(context)
    assert isinstance(shown, StrippedContext)
    assert isinstance(shown, grpc.ServicerContext)
    assert shown.invocation_metadata() == (("a", "b"),)
    assert shown.peer() == "ipv4:127.0.0.1:1"
    shown.user = "alice"
    assert vars(context) == {"user": "alice"}
    assert not hasattr(shown, "nothing")


def test_what_was_taken_away_can_be_asked_for_by_name() -> None:
    """By who knows which peers may claim it; a context of which nothing was taken answers, too."""
    context = _Context()
    (taken,) = [key for key, _ in context.invocation_metadata() if is_claim(key)][:1]
    shown = Inbound(context.invocation_metadata()).shown(context)
    told = [value for key, value in context.invocation_metadata() if key == taken]
    assert claimed(shown, taken) == claimed(context, taken) == told
    assert claimed(shown, "x-nothing") == []
