"""Caracal in one screen. Run `python examples/quickstart.py`: it needs nothing else."""

import asyncio
import os
import sys
from pathlib import Path
from subprocess import PIPE, Popen, check_call
from tempfile import TemporaryDirectory

import grpc.aio

from caracal_grpc.interceptors import Rules, connect, current_mandate, from_rpc_error

ZONE = """zone: hello
applications: [{name: caller}, {name: greeter}]
resources: [{name: resource://greeter, scopes: [greet, shout]}]
grants: [{application: caller, resource: resource://greeter, scopes: [greet]}]"""
RULES = Rules.from_mapping({  # what each method asks for; usually the .proto says so
    "/Greeter/Greet": {"resource": "resource://greeter", "scopes": ["greet"]},
    "/Greeter/Shout": {"resource": "resource://greeter", "scopes": ["shout"]},
})  # fmt: skip
CLI, DEV = [sys.executable, "-m", "caracal_grpc"], ["dev", "--port=0", "--data-dir"]


async def greet(name: bytes, _: object) -> bytes:
    """The service; it never runs without a mandate that permits the method."""
    return b"hello " + name + b", because of " + current_mandate().audit_id.encode()


async def main() -> None:
    """Serves it behind a guard, and calls it as an application that may only greet."""
    handler = grpc.unary_unary_rpc_method_handler(greet)
    greeter = grpc.method_handlers_generic_handler("Greeter", {"Greet": handler, "Shout": handler})
    async with connect("hello-greeter.json", rules=RULES) as edge:  # the server's side
        server = grpc.aio.server(handlers=[greeter], interceptors=[await edge.guard()])
        address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        await asyncio.gather(server.start(), edge.ready())
        async with connect("hello-caller.json", rules=RULES) as caller:  # the client's side
            attach = caller.client_interceptors()
            async with grpc.aio.insecure_channel(address, interceptors=attach) as channel:
                for method in ("/Greeter/Greet", "/Greeter/Shout"):
                    try:
                        print(method, "allowed:", await channel.unary_unary(method)(b"world"))
                    except grpc.aio.AioRpcError as error:
                        print(method, "refused:", from_rpc_error(error))
        await server.stop(None)


with TemporaryDirectory() as folder, Popen([*CLI, *DEV, folder], stdout=PIPE) as dev:
    try:
        os.chdir(folder)
        dev.stdout.readline() or sys.exit("quickstart: no authority, for the reason above")
        os.environ["CARACAL_PROFILE"] = "operator.json"
        Path("zone.yaml").write_text(ZONE)
        check_call([*CLI, "apply", "--file=zone.yaml"])
        asyncio.run(main())
        check_call([*CLI, "audit", "export", "ledger.jsonl", "--zone=hello"])
        check_call([*CLI, "audit", "verify", "ledger.jsonl"])
    finally:
        dev.terminate()
