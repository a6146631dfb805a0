"""Where the services come from whose rules are looked at: descriptor sets and Python modules."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from types import ModuleType
from typing import Final

from google.protobuf.descriptor import FileDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError

from caracal_grpc.core.errors import field_invalid

MAX_SET_BYTES: Final = 64 << 20
"""The largest descriptor set that is read."""

_MESSAGES: Final = "_pb2"
_STUBS: Final = "_pb2_grpc"
_SHOWN: Final = 5
_MAX_SAID: Final = 200

Services = tuple[ServiceDescriptor, ...]
Source = ServiceDescriptor | FileDescriptor | ModuleType | str
"""A service, a proto, a module of generated code or one that uses it, or the name of a module."""


def services_of(*sources: Source) -> Services:
    """Every service of `sources`, once each, in order of name.

    Raises `FIELD_INVALID` for a source without any, and as `module_services` does.
    """
    return _unique(service for source in sources for service in _services(source))


def set_services(path: Path) -> Services:
    """The services of all protos in the descriptor set at `path`.

    That is what `protoc --include_imports --descriptor_set_out` and `buf build` write. Raises
    `FIELD_INVALID` when the file cannot be read, is none, lacks an import, or holds no service.
    """
    name = str(path)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_SET_BYTES + 1)
    except OSError as exc:
        raise field_invalid(name, f"cannot be read: {exc.strerror}") from exc
    if len(content) > MAX_SET_BYTES:
        raise field_invalid(name, f"is over {MAX_SET_BYTES} bytes")
    try:
        files = FileDescriptorSet.FromString(content).file
    except DecodeError as exc:
        text = "is no descriptor set; write one with protoc --include_imports or buf build"
        raise field_invalid(name, text) from exc
    pool = linked(name, files)
    declared = (
        pool.FindServiceByName(".".join(filter(None, (file.package, service.name))))
        for file in files
        for service in file.service
    )
    return _some(name, _unique(declared))


def linked(source: str, files: Iterable[FileDescriptorProto]) -> DescriptorPool:
    """A pool of its own that holds `files`, in whatever order they come.

    Raises `FIELD_INVALID` naming `source` when an import is not among them, or when they
    contradict each other.
    """
    by_name = {file.name: file for file in files}
    wanted = {name for file in by_name.values() for name in file.dependency}
    missing = sorted(wanted - by_name.keys())
    if missing:
        more = "" if len(missing) <= _SHOWN else f" and {len(missing) - _SHOWN} more"
        text = f"lacks {', '.join(missing[:_SHOWN])}{more}, imported by its protos"
        raise field_invalid(source, f"{text}; write it with --include_imports")
    pool = DescriptorPool()
    try:
        order = TopologicalSorter({name: file.dependency for name, file in by_name.items()})
        for name in order.static_order():
            pool.AddSerializedFile(by_name[name].SerializeToString())
    except (CycleError, TypeError) as exc:
        text = "holds protos that do not fit together, or are newer than this protobuf; compile"
        raise field_invalid(source, f"{text} them anew, or upgrade protobuf") from exc
    return pool


def module_services(module: ModuleType | str, *, recursive: bool = False) -> Services:
    """The services of a module of generated code, or of those that a module or package holds.

    A package is looked through for its `*_pb2` modules, with `recursive` also the packages in it.
    Raises `FIELD_INVALID` when a module cannot be imported, or when there is no service.
    """
    found = _imported(module) if isinstance(module, str) else module
    files = {file.name: file for file in _files(found, recursive)}
    held = _unique(each for file in files.values() for each in file.services_by_name.values())
    if not held and _paths(found) and not recursive:
        text = "holds no service itself; name a package inside it, or look through all (recursive)"
        raise field_invalid(found.__name__, text)
    return _some(found.__name__, held)


def _services(source: Source) -> Services:
    if isinstance(source, ServiceDescriptor):
        return (source,)
    if isinstance(source, FileDescriptor):
        return _some(source.name, tuple(source.services_by_name.values()))
    return module_services(source)


def _files(module: ModuleType, recursive: bool) -> Iterator[FileDescriptor]:
    """The protos that were compiled to `module`, or to the modules that it holds."""
    if module.__name__.endswith((_MESSAGES, _STUBS)):
        yield from _compiled(module)
        return
    for each in list(vars(module).values()):
        if isinstance(each, ModuleType) and each.__name__.endswith((_MESSAGES, _STUBS)):
            yield from _compiled(each)
    for name, is_package in _inside(module):
        if name.endswith(_MESSAGES) or (is_package and recursive):
            yield from _files(_imported(name), recursive)


def _compiled(module: ModuleType) -> Iterator[FileDescriptor]:
    """The proto of a generated module; that of stubs is in the module of messages beside them."""
    if module.__name__.endswith(_STUBS):
        module = _imported(module.__name__.removesuffix("_grpc"))
    own = getattr(module, "DESCRIPTOR", None)
    if isinstance(own, FileDescriptor):
        yield own


def _inside(module: ModuleType) -> Iterator[tuple[str, bool]]:
    """The names of the modules in a package, and whether each is a package too.

    A folder without `__init__.py` is one as well: protoc writes none.
    """
    found = {each.name: each.ispkg for each in pkgutil.iter_modules(_paths(module))}
    for folder in _paths(module):
        for child in Path(folder).glob("*/"):
            if child.name.isidentifier() and not child.name.startswith("__"):
                found.setdefault(child.name, True)
    for name in sorted(found):
        yield f"{module.__name__}.{name}", found[name]


def _paths(module: ModuleType) -> list[str]:
    return list(getattr(module, "__path__", ()))


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as exc:  # others' code runs
        said = " ".join(f"{type(exc).__name__}: {exc}".split())[:_MAX_SAID]
        raise field_invalid(name, f"cannot be imported ({said}); check PYTHONPATH") from exc


def _unique(services: Iterable[ServiceDescriptor]) -> Services:
    by_name = {service.full_name: service for service in services}
    return tuple(by_name[name] for name in sorted(by_name))


def _some(name: str, services: Services) -> Services:
    """`services`, or `FIELD_INVALID`: a check of nothing must not pass."""
    if not services:
        raise field_invalid(name, "holds no service; name what your .proto files were compiled to")
    return services
