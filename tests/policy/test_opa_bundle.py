"""Bundles for OPA servers: what is in them, by which name, and that they are the same again."""

from __future__ import annotations

import io
import json
import tarfile

from caracal_grpc.policy.bundle import Bundle
from caracal_grpc.policy.grants import grants_data, grants_modules
from caracal_grpc.policy.opa_bundle import opa_bundle
from tests.policy.documents import grant


def unpacked(packed: bytes) -> dict[str, str]:
    """The files in an archive."""
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
        read = [(each.name, archive.extractfile(each)) for each in archive.getmembers()]
        return {name: file.read().decode() for name, file in read if file is not None}


def test_bundle_holds_modules_data_and_its_version() -> None:
    """The revision is our version, and the whole namespace is the bundle's."""
    bundle = Bundle.of(grants_modules(), grants_data([grant()]))
    files = unpacked(opa_bundle(bundle))
    manifest = json.loads(files.pop("/.manifest"))
    assert manifest == {"revision": bundle.version, "roots": ["caracal"], "rego_version": 1}
    assert json.loads(files.pop("/data.json"))["caracal"]["grants"]["shop"]
    assert files == {"/modules/00_grants.rego": bundle.modules["grants.rego"]}


def test_equal_bundles_are_equal_bytes() -> None:
    """Whoever makes it, and when: so it can be compared and cached."""
    bundles = [Bundle.of(grants_modules(), grants_data([grant()])) for _ in range(2)]
    assert opa_bundle(bundles[0]) == opa_bundle(bundles[1])


def test_names_of_modules_lead_nowhere() -> None:
    """No name of a module is a way out of the folder that the bundle is unpacked to, or lost."""
    source = "package caracal.authz\n\nresult := {}\n"
    names = ["a", "a.rego", "a/../../../etc/b.rego", "l" * 128]
    files = unpacked(opa_bundle(Bundle.of(dict.fromkeys(names, source), {})))
    modules = [name for name in files if name.startswith("/modules/")]
    assert len(modules) == len(names)
    assert all(name.count("/") == 2 and name.endswith(".rego") for name in modules)
