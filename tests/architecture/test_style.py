"""What keeps the code readable: small files, short functions, a word on everything public.

And what keeps it safe: no task that nobody owns, no failure that nobody sees.
"""

from __future__ import annotations

import ast

from tests.architecture.source import Module, functions, modules

MAX_FILE = 300
MAX_FUNCTION = 45
UNFINISHED = ("TO" + "DO", "FIX" + "ME", "XX" + "X")


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring."""
    body = node.body
    first = body[0]
    if ast.get_docstring(node) and len(body) > 1:
        return (node.end_lineno or 0) - body[1].lineno + 1
    return (node.end_lineno or 0) - first.lineno + 1


def test_files_are_small() -> None:
    """A file that grows beyond 300 lines holds two things."""
    sizes = {module.name: len(module.path.read_text().splitlines()) for module in modules()}
    assert {name: size for name, size in sizes.items() if size > MAX_FILE} == {}


def test_functions_are_short() -> None:
    """A function that does not fit a screen is read by nobody."""
    long = {
        f"{module.name}.{node.name}": length(node)
        for module in modules()
        for node in functions(module)
        if length(node) > MAX_FUNCTION
    }
    assert long == {}


def public(module: Module) -> list[tuple[str, ast.AST]]:
    """Every public definition of a module, down to methods."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    found: list[tuple[str, ast.AST]] = []
    pending: list[tuple[str, ast.AST]] = [(module.name, module.tree)]
    while pending:
        path, node = pending.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, kinds) and not child.name.startswith("_"):
                found.append((f"{path}.{child.name}", child))
                if isinstance(child, ast.ClassDef):
                    pending.append((f"{path}.{child.name}", child))
    return found


def test_everything_public_has_a_docstring() -> None:
    """Modules, classes, functions and methods say what they are for."""
    silent = [module.name for module in modules() if not ast.get_docstring(module.tree)]
    for module in modules():
        for path, node in public(module):
            if not ast.get_docstring(node):  # type: ignore[arg-type]
                silent.append(path)
    assert silent == []


def test_annotations_are_postponed() -> None:
    """Every module begins alike."""
    for module in modules():
        text = module.path.read_text()
        if module.path.name != "__init__.py":
            assert "from __future__ import annotations" in text, module.name


def test_no_task_is_unowned() -> None:
    """The result of `create_task` and `ensure_future` is kept: an unowned task may vanish."""
    lost = []
    for module in modules():
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
                continue
            if ast.unparse(node.value.func).rpartition(".")[2] in {"create_task", "ensure_future"}:
                lost.append(f"{module.name}:{node.lineno}")
    assert lost == []


def test_no_failure_is_swallowed() -> None:
    """No handler of everything that does nothing."""
    silent = []
    for module in modules():
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.ExceptHandler):
                continue
            catches = ast.unparse(node.type) if node.type else "BaseException"
            nothing = all(isinstance(each, ast.Pass) for each in node.body)
            if nothing and catches in {"Exception", "BaseException"}:
                silent.append(f"{module.name}:{node.lineno}")
    assert silent == []


def test_nothing_is_left_for_later() -> None:
    """No reminders in the source."""
    for module in modules():
        text = module.path.read_text()
        assert not any(word in text for word in UNFINISHED), module.name


def test_no_assertions_in_the_product() -> None:
    """`assert` vanishes under `-O`; a check that matters is an `if`."""
    for module in modules():
        found = [node.lineno for node in ast.walk(module.tree) if isinstance(node, ast.Assert)]
        assert found == [], module.name


def test_no_wait_loses_a_cancellation() -> None:
    """Before Python 3.12 `asyncio.wait_for` swallows one that comes as its work ends, and whoever
    cancelled waits for ever (python/cpython#86296). `asyncio.timeout` does not.
    """
    users = [
        f"{module.name}:{node.lineno}"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "asyncio.wait_for"
    ]
    assert users == []
