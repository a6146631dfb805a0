"""The source of the project as trees: files, rooms, imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PACKAGE = "caracal_grpc"


@dataclass(frozen=True)
class Module:
    """One source file under its importable name."""

    name: str
    path: Path

    @property
    def room(self) -> str:
        """The first part of its name below the package; a file there is a room of its own."""
        return self.name.split(".")[1] if "." in self.name else "package"

    @property
    def tree(self) -> ast.Module:
        """Its syntax tree."""
        return _parse(self.path)


@cache
def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


@dataclass(frozen=True)
class Import:
    """One name that a module imports, and whether that happens when it is loaded."""

    module: Module
    target: str
    line: int
    at_load: bool


@cache
def modules() -> tuple[Module, ...]:
    """Every hand-written module that is shipped."""
    own = [
        Module(".".join(path.relative_to(ROOT).with_suffix("").parts), path)
        for path in sorted((ROOT / PACKAGE).rglob("*.py"))
        if path.parent.name != "v1"
    ]
    edges = [
        Module(".".join((PACKAGE, *path.relative_to(ROOT).with_suffix("").parts)), path)
        for path in sorted((ROOT / "interceptors").rglob("*.py"))
    ]
    return tuple(own + edges)


def imports(module: Module) -> Iterator[Import]:
    """Every import of a module; those for type checkers only are left out."""
    yield from _walk(module, module.tree.body, at_load=True)


def _walk(module: Module, body: list[ast.stmt], *, at_load: bool) -> Iterator[Import]:
    for node in body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module, alias.name, node.lineno, at_load)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module.path}:{node.lineno}: imports are absolute"
            for alias in node.names:
                yield Import(module, f"{node.module}.{alias.name}", node.lineno, at_load)
        elif not _is_type_checking(node):
            inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            for field in ("body", "orelse", "finalbody", "handlers", "cases"):
                yield from _walk(module, getattr(node, field, []), at_load=at_load and not inside)


def _is_type_checking(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of a module."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
