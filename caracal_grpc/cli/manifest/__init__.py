"""Manifests: the declared state of zones in YAML, read, merged, and written again."""

from caracal_grpc.cli.manifest.manifest import Manifest

__all__ = ["Manifest"]
