"""A policy of thousands of grants is compiled while others have their turn."""

from __future__ import annotations

import asyncio
import json

from caracal_grpc.policy.bundle import PIECE, Bundle
from caracal_grpc.policy.embedded import EmbeddedEngine
from caracal_grpc.policy.grants import grants_data, grants_modules
from tests.policy.documents import document, grant

GRANTS = [grant(application=f"shop-{number:04}") for number in range(3_000)]


def large() -> Bundle:
    """A policy whose data is in several pieces."""
    return Bundle.of(grants_modules(), grants_data(GRANTS))


def test_pieces_are_short_and_all_of_the_data() -> None:
    """Together they are the one document, in canonical JSON."""
    bundle = large()
    longest = max(len(text) for _, text in bundle.pieces)
    assert len(bundle.pieces) > 5
    assert longest < 2 * PIECE
    whole = {"caracal": grants_data(GRANTS)}
    assert bundle.data_json == json.dumps(whole, sort_keys=True, separators=(",", ":"))
    merged: dict[str, object] = {}
    for fragment in bundle.fragments():
        ((_, documents),) = json.loads(fragment).items()
        ((name, value),) = documents.items()
        merged[name] = {**merged.get(name, {}), **value} if isinstance(value, dict) else value  # type: ignore[dict-item]
    assert merged == whole["caracal"]


async def test_others_have_their_turn_while_it_is_compiled() -> None:
    """After each piece; and what comes of it decides by all of them."""
    bundle, turns, done = large(), 0, asyncio.Event()

    async def others() -> None:
        nonlocal turns
        while not done.is_set():
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(others())
    policy = await EmbeddedEngine("regorus").compile(bundle)
    done.set()
    await counting
    assert turns >= len(bundle.pieces)
    for name in ("shop-0000", "shop-2999"):
        asked = document()
        asked["principal"]["name"] = name
        assert (await policy.decide(json.dumps(asked))).outcome == "allow"
    await policy.close()


async def test_compiling_that_is_given_up_leaves_nothing() -> None:
    """The engine ends with it, on its own thread; a leak would be a warning."""
    compiling = asyncio.create_task(EmbeddedEngine("regorus").compile(large()))
    for _ in range(3):
        await asyncio.sleep(0)
    assert not compiling.done()
    compiling.cancel()
    await asyncio.gather(compiling, return_exceptions=True)
    assert compiling.cancelled()
