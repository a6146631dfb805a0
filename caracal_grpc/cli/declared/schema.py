"""`schema`: the JSON Schema of manifests."""

from __future__ import annotations


def schema() -> None:
    """Print the JSON Schema of manifests, for editors and checks."""
    from caracal_grpc.cli.manifest.schema import schema_text
    from caracal_grpc.cli.terminal.output import print_line

    print_line(schema_text().rstrip("\n"))
