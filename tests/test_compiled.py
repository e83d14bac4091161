"""The modules that a build with STEPWELL_COMPILE=1 turns into machine code (docs/decisions/0011-compiled.md)."""

import ast
import os
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MODULES = SETTINGS["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]["modules"]
"""Paths of sources: folder, package, file."""


def origin(module: str) -> str:
    """The file that a module is imported from."""
    _, package, file = module.split("/")
    found = find_spec(f"{package}.{Path(file).stem}")
    assert found is not None
    assert found.origin is not None
    return found.origin


@pytest.mark.parametrize("module", MODULES)
def test_each_named_module_is_there_once(module: str) -> None:
    assert (ROOT / module).is_file()
    assert MODULES.count(module) == 1


CONSUMERS = {"Counter", "all", "any", "dict.fromkeys", "extend", "frozenset", "join", "next", "sum", "tuple"}
"""Functions that take a generator expression to its end, or which mypyc knows."""


@pytest.mark.parametrize("module", MODULES)
def test_a_generator_expression_is_used_up_where_it_stands(module: str) -> None:
    """mypyc makes it a list at once; a generator function stays one."""
    tree = ast.parse((ROOT / module).read_text(encoding="utf-8"))
    parents = {child: parent for parent in ast.walk(tree) for child in ast.iter_child_nodes(parent)}
    for node in ast.walk(tree):
        if isinstance(node, ast.GeneratorExp):
            parent = parents[node]
            if isinstance(parent, ast.Starred):
                continue
            assert isinstance(parent, ast.Call), f"line {node.lineno}"
            called = ast.unparse(parent.func)
            assert called in CONSUMERS or called.split(".")[-1] in CONSUMERS, f"line {node.lineno}: {called}"


SAFE_PARENTS = {
    "NamedTuple",
    "Protocol",
    "Generic",
    "Exception",
    "ValueError",
    "LookupError",
    "StoreUnavailable",
}


@pytest.mark.parametrize("module", MODULES)
def test_a_class_inherits_from_nothing_that_is_not_safe_to_compile(module: str) -> None:
    """Named tuples, exceptions, protocols, type parameters and what is compiled beside it; the attributes of other
    types in C are not the class's own."""
    tree = ast.parse((ROOT / module).read_text(encoding="utf-8"))
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    safe = SAFE_PARENTS | {node.name for node in classes}
    for node in classes:
        for parent in node.bases:
            assert ast.unparse(parent).partition("[")[0] in safe


@pytest.mark.parametrize("module", MODULES)
def test_a_dataclass_has_no_class_variables(module: str) -> None:
    """Compiled, dataclasses takes them for fields."""
    for node in ast.walk(ast.parse((ROOT / module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef) and node.decorator_list:
            annotations = [
                ast.unparse(part.annotation) for part in node.body if isinstance(part, ast.AnnAssign)
            ]
            assert not [annotation for annotation in annotations if annotation.startswith("ClassVar")]


def test_the_compiler_is_the_version_that_checks_the_types() -> None:
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    [version] = [line.removeprefix("mypy==") for line in constraints if line.startswith("mypy==")]
    assert f'MYPY = "mypy[mypyc]=={version}"' in (ROOT / "hatch_build.py").read_text(encoding="utf-8")


def test_all_of_them_are_compiled_or_none_and_all_where_the_build_was_asked_for_it() -> None:
    compiled = {module for module in MODULES if Path(origin(module)).suffix != ".py"}
    assert compiled in (set(), set(MODULES))
    assert compiled or os.environ.get("STEPWELL_COMPILE") != "1"
