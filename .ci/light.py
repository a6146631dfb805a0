"""A guarded call where nothing but the wheel is installed: one passes, one is refused."""

import asyncio
import importlib.util
import sys
from pathlib import Path

import grpc.aio
from google.protobuf.wrappers_pb2 import StringValue

from caracal_grpc.interceptors import AioGuard, Edge, Rules, connect, from_rpc_error

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT))  # the tests' authority; the package itself is the one that is installed

from tests.interceptors.support import (  # noqa: E402
    RESOURCE,
    RULES,
    Echo,
    FakeAuthority,
    calls,
    profile,
    serving,
)
from tests.support.clock import FakeClock  # noqa: E402

GREEDY = Rules.from_mapping(
    {"/echo.v1.Echo/UnaryUnary": {"resource": RESOURCE, "scopes": ["echo:shout"]}}
)


async def main() -> None:
    """One service behind two guards, of which the second asks for more than the client holds."""
    clock, echo, authority = FakeClock(), Echo(), FakeAuthority()
    async with (
        serving(authority, Echo()) as address,
        connect(profile(address), rules=RULES, clock=clock) as edge,
    ):
        said = [await called(edge, await edge.guard(rules), echo) for rules in (RULES, GREEDY)]
    if said != ["tea", "SCOPE_INSUFFICIENT"] or len(echo.calls) != 1:
        sys.exit(f"the guard answered {said}, and the handler ran {len(echo.calls)} times")


async def called(edge: Edge, guard: AioGuard, echo: Echo) -> str:
    """What a call answers, or the reason why it is refused."""
    server = grpc.aio.server(interceptors=[guard])
    server.add_generic_rpc_handlers([echo.handlers()])
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    await edge.ready()
    attach = edge.client_interceptors(on_behalf="self")
    try:
        async with grpc.aio.insecure_channel(address, interceptors=attach) as channel:
            return (await calls(channel)["UnaryUnary"](StringValue(value="tea"))).value
    except grpc.aio.AioRpcError as error:
        return from_rpc_error(error).reason.value
    finally:
        await server.stop(None)


if __name__ == "__main__":
    if importlib.util.find_spec("sqlalchemy"):
        sys.exit("this install is not light")
    asyncio.run(main())
    print(f"a guarded call passes and is refused on grpcio {grpc.__version__}")
