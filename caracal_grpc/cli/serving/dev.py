"""`dev`: a whole authority on this machine, with a private etcd, in one directory."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from caracal_grpc.cli.errors import CliError, ExitCode

if TYPE_CHECKING:
    from caracal_grpc.cli.serving.devdir import DevDir
    from caracal_grpc.interceptors.profile import Profile
    from caracal_grpc.server import Server

Ports = tuple[int, int | None]
"""Of gRPC and of HTTP, which is off without one; 0 picks a free one."""

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def dev(
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Where state lives. Default: caracal-grpc/dev in your data home."),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port; 0 picks a free one.")] = 7420,
    http_port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65_535,
            help="Port for HTTP: key sets, OAuth endpoints, health, metrics; 0 picks a free one. "
            "Default: none.",
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print one line of JSON when ready.")
    ] = False,
) -> None:
    """Run a private authority with its own etcd on this machine, until Ctrl-C, SIGTERM or SIGHUP.

    The first start makes an operator and writes its profile; later starts take up where it ended.
    """
    from caracal_grpc.cli.serving.devdir import DevDir, default_path

    place = DevDir((data_dir or default_path()).absolute())
    with place.held():
        place.prepare()
        asyncio.run(_until_signalled(_run(place, (port, http_port), json)))


async def _until_signalled(work: Coroutine[Any, Any, None]) -> None:
    """Runs `work` until it ends or a signal comes; then it is cancelled and awaited."""
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(work)

    def end() -> None:
        if not task.cancelling():  # a second Ctrl-C must not cut the cleaning up short
            task.cancel()

    for number in _SIGNALS:
        loop.add_signal_handler(number, end)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # it is under nohup
        loop.add_signal_handler(signal.SIGHUP, end)
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()


async def _run(place: DevDir, ports: Ports, as_json: bool) -> None:
    from caracal_grpc.cli.serving.startup import hold_log
    from caracal_grpc.server import Server
    from caracal_grpc.settings.serve import ServeSettings
    from caracal_grpc.store.embedded import EmbeddedEtcd

    release = hold_log(json_lines=as_json, level=logging.WARNING)
    async with AsyncExitStack() as stack:
        etcd = await stack.enter_async_context(EmbeddedEtcd(place.etcd))
        server = Server(ServeSettings.load(_settings(place, ports, etcd.endpoint)))
        stack.push_async_callback(server.stop)
        address = await _started(server)
        profile = _profile(place, address)
        release()
        _announce(place, profile, server.http_address, as_json)
        await server.wait()


async def _started(server: Server) -> str:
    """The address of `server`.

    A signal waits until the start has ended: cut off in the middle, the first one could have made
    an operator whose secret nobody has.
    """
    starting = asyncio.ensure_future(server.start())
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        await starting
        raise


def _settings(place: DevDir, ports: Ports, endpoint: str) -> dict[str, Any]:
    from caracal_grpc.cli.serving.devdir import PUBLIC_URL
    from caracal_grpc.outbound.egress import LOOPBACK

    port, http_port = ports
    return {
        "listen": f"127.0.0.1:{port}",
        "http_listen": "" if http_port is None else f"127.0.0.1:{http_port}",
        "http_metrics": http_port is not None,
        "public_url": PUBLIC_URL,
        "etcd_endpoints": [endpoint],
        "kek_file": place.kek,
        "ledger": place.ledger,
        "bootstrap_profile": place.profile,
        "drain_seconds": 2.0,
        "egress_allow": [str(network) for network in LOOPBACK],
    }


def _profile(place: DevDir, address: str) -> Profile:
    """The operator's profile, brought to the address of this start."""
    from caracal_grpc.interceptors.profile import Profile

    if not place.profile.exists():
        text = f"{place.profile} is gone and its secret is nowhere else"
        raise CliError(ExitCode.CREDENTIAL, f"{text}; remove {place.path} to start anew")
    profile = Profile.load(place.profile)
    if profile.authority != address:
        profile = replace(profile, authority=address)
        profile.save(place.profile)
    return profile


def _announce(place: DevDir, profile: Profile, http: str, as_json: bool) -> None:
    from caracal_grpc.cli.terminal.output import print_json, print_line

    if as_json:
        facts = {"authority": profile.authority, "zone": profile.zone}
        more = {"http": http} if http else {}
        print_json({**facts, "profile": str(place.profile), "data_dir": str(place.path), **more})
        return
    for line in (
        f"authority  {profile.authority}  (plaintext, this machine only)",
        *([f"http       {http}  (the same)"] if http else []),
        f"state      {place.path}",
        "",
        "In another terminal:",
        f"  export CARACAL_PROFILE={_quoted(place.profile)}",
        "  caracal-grpc apply -f zone.yaml    # declare a zone, get profiles of its applications",
        "  caracal-grpc keys list             # the keys that mandates are signed with",
        "  caracal-grpc audit search          # what was decided, and why",
        "",
        "Ctrl-C ends it; the state stays.",
    ):
        print_line(line)


def _quoted(path: Path) -> str:
    import shlex

    return shlex.quote(str(path))
