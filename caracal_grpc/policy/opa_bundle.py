"""A version of a policy as a bundle that an OPA server loads."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Mapping
from typing import Final

from caracal_grpc.policy.bundle import Bundle

ROOTS: Final = ("caracal",)
"""What the bundle owns on the server: nothing else there can write to it."""


def opa_bundle(bundle: Bundle) -> bytes:
    """The gzipped tar archive of `bundle`: `.manifest`, `data.json` and its modules.

    The revision is the version, by which `opa` knows what the server decides by. Equal bundles are
    equal bytes.
    """
    manifest = {"revision": bundle.version, "roots": ROOTS, "rego_version": 1}
    files = {".manifest": json.dumps(manifest), "data.json": bundle.data_json}
    for number, (name, source) in enumerate(bundle.modules.items()):
        files[f"modules/{number:02}_{_plain(name)}.rego"] = source
    return gzip.compress(_archive(files), mtime=0)


def _plain(name: str) -> str:
    """The name of a module as part of a file's: nobody who unpacks it is led elsewhere."""
    return name.removesuffix(".rego").replace("/", "_")[:64]


def _archive(files: Mapping[str, str]) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, text in files.items():
            content = text.encode()
            member = tarfile.TarInfo(f"/{name}")
            member.size, member.mode = len(content), 0o644
            archive.addfile(member, io.BytesIO(content))
    return written.getvalue()
