"""`version`: which release this is."""

from __future__ import annotations

from caracal_grpc import __version__
from caracal_grpc.cli.terminal.output import print_line


def version() -> None:
    """Print the version."""
    print_line(f"caracal-grpc {__version__}")
