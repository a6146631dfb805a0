"""An agent that hands work to two others: each does its part on the agent's behalf, and no more.

    CARACAL_PROFILE=shop-agent.json python examples/agents/planner.py

It needs the services of the shop. The others are programs of their own, with credentials of their
own, `shop-buyer.json` and `shop-courier.json` beside the agent's; all that they are handed is the
id of a session, which is of no use to anybody else.
"""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import grpc.aio

from caracal_grpc.interceptors import CaracalError, connect
from caracal_grpc.interceptors.profile import PROFILE_VARIABLE

HERE = Path(__file__).parent
PROFILE = Path(os.environ.get(PROFILE_VARIABLE, "shop-agent.json"))

BUYING = {"resource://orders": ["orders:place"], "resource://payments": ["payments:charge"]}
TRACKING = {"resource://orders": ["orders:track"]}


async def main() -> None:
    """One run: buy through one agent, track through another, and take back what is done with."""
    async with connect(PROFILE) as edge, edge.session(ttl=600) as run:
        print(f"run       {run.id}", flush=True)
        buying = await edge.delegate("buyer", ceiling=BUYING, ttl=300)
        tracking = await edge.delegate("courier", ceiling=TRACKING, ttl=300)

        buyer = await worker("buyer", buying.session_id)
        order = await said(buyer, "order")
        await buyer.wait()
        await buying.revoke("the order is placed")
        print(f"bought    {order}, and the buyer can buy no more", flush=True)

        courier = await worker("courier", tracking.session_id, order)
        print(f"tracking  {await said(courier, 'status')}", flush=True)
    # The run is over, and with it everything that was handed on in it: the courier's stream is cut.
    print(f"courier   {await said(courier, 'end')}", flush=True)
    await courier.wait()


async def worker(name: str, *arguments: str) -> Process:
    """Another agent, as a process with a credential of its own."""
    profile = PROFILE.with_name(f"{PROFILE.stem.partition('-')[0]}-{name}.json")
    script = HERE / f"{name}.py"
    environment = {**os.environ, PROFILE_VARIABLE: str(profile)}
    return await asyncio.create_subprocess_exec(
        sys.executable, str(script), *arguments, stdout=PIPE, env=environment
    )


async def said(process: Process, word: str) -> str:
    """What the other agent says after `word`, at the beginning of a line."""
    while process.stdout and (line := await process.stdout.readline()):
        first, _, rest = line.decode().strip().partition(" ")
        if first == word:
            return rest
    raise SystemExit(f"the other agent ended without a word of its {word}")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except CaracalError as error:  # no profile, or no authority: it says what to do
        sys.exit(str(error))
    except grpc.aio.AioRpcError as error:
        sys.exit(f"{error.code().name}: {error.details()}")
