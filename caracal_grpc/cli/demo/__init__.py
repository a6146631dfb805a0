"""`demo`: the project's main job on real input, shown and checked, in one tree of processes."""

from __future__ import annotations

from typing import Annotated

import typer


def demo(
    mesh: Annotated[
        bool, typer.Option("--mesh", help="Show it through real Envoys, sidecar and gateway.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one object of JSON.")] = False,
) -> None:
    """Show a mandate granted, refused, revoked and outliving a key, on real parts, in seconds.

    Starts an etcd, an authority and two guarded services on this machine, checks what they do,
    and cleans up. With --mesh one of the services has no code of ours, and a sidecar instead.
    Ends with 7 when any flow does not behave.
    """
    from caracal_grpc.cli.demo.run import run

    run(json, mesh)
