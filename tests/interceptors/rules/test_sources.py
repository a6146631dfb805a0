"""Where services come from: descriptor sets and modules; what is no source says so."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.rules import sources as rule_sources
from caracal_grpc.interceptors.rules.sources import module_services, services_of, set_services
from caracal_grpc.services.register import SERVICES
from caracal_grpc.v1 import key_service_pb2, key_service_pb2_grpc, token_service_pb2
from tests.support.protos import proto

SOUND = {"Read": {"scopes": ["books:read"]}}
OURS = len(SERVICES)
"""Services of the authority."""


def written(path: Path, files: FileDescriptorSet) -> Path:
    """A descriptor set in a file."""
    path.write_bytes(files.SerializeToString())
    return path


def names(services: rule_sources.Services) -> list[str]:
    """Full names."""
    return [each.full_name for each in services]


def test_a_descriptor_set_in_any_order_is_read(tmp_path: Path) -> None:
    """An import may come after who imports it; all services are there, in order of name."""
    importer = proto("b.one", SOUND, imports=("a.two.proto",))
    files = FileDescriptorSet(file=[importer, proto("a.two", SOUND)])
    assert names(set_services(written(tmp_path / "set.binpb", files))) == [
        "a.two.Books",
        "b.one.Books",
    ]


def test_a_service_without_a_package_is_read(tmp_path: Path) -> None:
    """Its name is its own."""
    file = proto("x", SOUND)
    file.package = ""
    for method in file.service[0].method:
        method.input_type = method.output_type = ".Note"
    files = FileDescriptorSet(file=[file])
    assert names(set_services(written(tmp_path / "set.binpb", files))) == ["Books"]


def test_a_missing_import_is_named_with_what_to_do(tmp_path: Path) -> None:
    """protoc leaves imports out unless told."""
    files = FileDescriptorSet(file=[proto("b.one", SOUND, imports=("a.two.proto",))])
    with pytest.raises(CaracalError, match=r"lacks a\.two\.proto, .*--include_imports") as caught:
        set_services(written(tmp_path / "set.binpb", files))
    assert caught.value.reason is Reason.FIELD_INVALID


def test_protos_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    """In a circle, or with a type that is nowhere."""
    circle = [proto("a", SOUND, imports=("b.proto",)), proto("b", SOUND, imports=("a.proto",))]
    lost = proto("a", SOUND)
    lost.service[0].method[0].input_type = ".a.Lost"
    for files in (circle, [lost]):
        with pytest.raises(CaracalError, match="do not fit together"):
            set_services(written(tmp_path / "set.binpb", FileDescriptorSet(file=files)))


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"no descriptor set", "is no descriptor set"), (b"", "holds no service")],
)
def test_another_file_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    """It says what it takes."""
    path = tmp_path / "set.binpb"
    path.write_bytes(content)
    with pytest.raises(CaracalError, match=said):
        set_services(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """By its name, as is a folder."""
    for path in (tmp_path / "none.binpb", tmp_path):
        with pytest.raises(CaracalError, match="cannot be read"):
            set_services(path)


def test_a_set_over_the_bound_is_refused(tmp_path: Path) -> None:
    """Before it is parsed."""
    path = tmp_path / "set.binpb"
    path.touch()
    os.truncate(path, rule_sources.MAX_SET_BYTES + 1)
    with pytest.raises(CaracalError, match="is over"):
        set_services(path)


def test_generated_modules_give_their_own_services() -> None:
    """Not those of what they import; stubs give what their messages give."""
    for module in (key_service_pb2, key_service_pb2_grpc, "caracal_grpc.v1.key_service_pb2_grpc"):
        assert names(module_services(module)) == ["caracal.v1.KeyService"]


def test_a_module_gives_what_it_holds() -> None:
    """A service's own module imports the code that it serves: this one, some of ours."""
    held = names(module_services(importlib.import_module(__name__)))
    assert held == ["caracal.v1.KeyService", "caracal.v1.TokenService"]


def test_a_package_gives_its_modules_and_when_asked_those_inside() -> None:
    """Without a list of them."""
    assert len(module_services("caracal_grpc.v1")) == OURS
    with pytest.raises(CaracalError, match="holds no service"):
        module_services("caracal_grpc")


def test_packages_inside_a_package_are_looked_through_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folders without an `__init__.py` too: protoc writes none."""
    for name, service in (("plain", "token"), ("full", "key")):
        inner = tmp_path / "outer_team" / name
        inner.mkdir(parents=True)
        line = f"from caracal_grpc.v1.{service}_service_pb2 import DESCRIPTOR\n"
        (inner / "some_pb2.py").write_text(line)
    (inner / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert names(module_services("outer_team", recursive=True)) == [
        "caracal.v1.KeyService",
        "caracal.v1.TokenService",
    ]


def test_whatever_a_module_does_when_imported_is_told() -> None:
    """One that is not there, with its name."""
    with pytest.raises(CaracalError, match=r"no_such_team: cannot be imported \(ModuleNotFound"):
        module_services("no_such_team")


@pytest.mark.parametrize("line", ["raise SystemExit(0)", "raise ValueError('bad\\nday')", "1/0"])
def test_a_module_that_ends_the_process_or_fails_is_refused(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check must not end well because what it looks at ended it."""
    (tmp_path / "ending_team.py").write_text(f"{line}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(CaracalError, match="ending_team: cannot be imported") as caught:
        module_services("ending_team")
    assert "\n" not in caught.value.message


def test_sources_of_every_kind_go_together() -> None:
    """A service, a proto, a module and a name; each service once."""
    proto_file = token_service_pb2.DESCRIPTOR
    service = proto_file.services_by_name["TokenService"]
    assert names(services_of(service, proto_file, key_service_pb2, "caracal_grpc.v1")) == names(
        module_services("caracal_grpc.v1")
    )
