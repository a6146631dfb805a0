"""Caracal in one screen. Run `python examples/quickstart.py`: it needs nothing else."""

import asyncio
import json
import os
import tempfile
from pathlib import Path
from subprocess import PIPE, Popen, check_call
from sys import executable

import grpc.aio

from caracal_grpc.interceptors import Rules, connect, current_mandate, from_rpc_error

ZONE = """
zone: hello
applications: [{name: caller}, {name: greeter}]
resources: [{name: resource://greeter, scopes: [greeter:greet, greeter:shout]}]
grants: [{application: caller, resource: resource://greeter, scopes: [greeter:greet]}]
"""
RULES = Rules.from_mapping({  # what each method asks for; usually the .proto says so
    "/Greeter/Greet": {"resource": "resource://greeter", "scopes": ["greeter:greet"]},
    "/Greeter/Shout": {"resource": "resource://greeter", "scopes": ["greeter:shout"]},
})  # fmt: skip
CARACAL = [executable, "-m", "caracal_grpc"]  # the command line


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


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    with Popen([*CARACAL, "dev", "--json", "--port=0", "--data-dir=."], stdout=PIPE) as dev:
        try:
            os.environ["CARACAL_PROFILE"] = json.loads(dev.stdout.readline())["profile"]
            Path("zone.yaml").write_text(ZONE)
            check_call([*CARACAL, "apply", "--file=zone.yaml"])
            asyncio.run(main())
            check_call([*CARACAL, "audit", "export", "ledger.jsonl", "--zone=hello"])
            check_call([*CARACAL, "audit", "verify", "ledger.jsonl"])
        finally:
            dev.terminate()
