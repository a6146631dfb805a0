"""`policy bundle`: a version for OPA servers; and what a request is told that no server reads."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

from caracal_grpc.core.limits import MAX_REQUEST
from tests.cli.conftest import Shop
from tests.cli.support import Dev


def manifest_in(path: Path) -> dict[str, str]:
    """The manifest of a bundle."""
    with tarfile.open(fileobj=io.BytesIO(path.read_bytes()), mode="r:gz") as archive:
        file = archive.extractfile("/.manifest")
        assert file is not None
        found: dict[str, str] = json.load(file)
        return found


def test_bundle_is_of_the_active_version(dev: Dev, shop: Shop, tmp_path: Path) -> None:
    """Its revision is the version that decides, and it takes the place of one that is there."""
    path = tmp_path / "bundle.tar.gz"
    path.write_text("old")
    status = dev.run("policy", "status", "--zone", shop.zone, "--json").json
    made = dev.run("policy", "bundle", "--zone", shop.zone, "--out", path, "--json").json
    assert made == {"version": status["active"], "file": str(path)}
    assert manifest_in(path)["revision"] == status["active"]
    assert [each.name for each in tmp_path.iterdir()] == ["bundle.tar.gz"]


def test_bundle_says_how_it_is_served(dev: Dev, shop: Shop, tmp_path: Path) -> None:
    """For people, the command that serves it."""
    path = tmp_path / "bundle.tar.gz"
    ended = dev.run("policy", "bundle", "--zone", shop.zone, "-o", path)
    assert ended.code == 0
    assert f"opa run --server --bundle {path}" in ended.out


def test_file_that_cannot_be_written_is_named(dev: Dev, shop: Shop, tmp_path: Path) -> None:
    """Wrong usage, and nothing is left behind."""
    path = tmp_path / "missing" / "bundle.tar.gz"
    ended = dev.run("policy", "bundle", "--zone", shop.zone, "-o", path)
    assert ended.code == 2
    assert str(path) in ended.line


def test_version_that_is_not_there(dev: Dev, shop: Shop) -> None:
    """OBJECT_NOT_FOUND."""
    version = "sha256:0123456789abcdef"
    assert dev.run("policy", "bundle", version, "--zone", shop.zone).code == 3


def test_request_that_is_too_long_says_what_to_do(dev: Dev, shop: Shop, tmp_path: Path) -> None:
    """gRPC refuses it before the authority sees it; the command says how much it may be."""
    files = [tmp_path / f"{number}.rego" for number in range(MAX_REQUEST // 250_000 + 1)]
    for path in files:
        path.write_text(f"package caracal.authz\n# {'x' * 250_000}\n")
    ended = dev.run("policy", "validate", *files, "--zone", shop.zone)
    assert ended.code == 1
    assert f"a request holds at most {MAX_REQUEST} bytes" in ended.line
