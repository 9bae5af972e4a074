"""Imports point only left: stdlib <- cells <- search_spaces <- nas <- experiments."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import nas
from nas.cli import VERBS

ROOT = Path(__file__).parent.parent
LAYERS = ["cells", "search_spaces", "nas", "experiments"]
WITH_TORCH = {
    f"nas/{name}.py" for name in ("build", "data", "final", "fit", "measure", "proxies", "trial", "formats")
}
FILES = sorted(f.relative_to(ROOT).as_posix() for layer in LAYERS for f in (ROOT / layer).rglob("*.py"))


def imports(file: str) -> Iterator[tuple[str, bool]]:
    """(top-level package, whether at module level) of every import that runs."""

    def visit(node: ast.AST, top: bool) -> Iterator[tuple[str, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
                continue
            inside = top and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            if isinstance(child, ast.Import):
                yield from ((alias.name.partition(".")[0], inside) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                yield (child.module or "").partition(".")[0], inside
            else:
                yield from visit(child, inside)

    yield from visit(ast.parse((ROOT / file).read_text()), True)


@pytest.mark.parametrize("file", FILES)
def test_imports_point_left(file: str) -> None:
    layer = file.partition("/")[0]
    for package, _ in imports(file):
        if package in LAYERS:
            assert LAYERS.index(package) <= LAYERS.index(layer), f"{file} imports {package}"


@pytest.mark.parametrize("file", [f for f in FILES if not f.startswith("experiments")])
def test_torch_at_module_level_only_where_it_trains(file: str) -> None:
    if file not in WITH_TORCH:
        assert not {p for p, top in imports(file) if top} & {"torch", "ray", "optuna", "sklearn"}


@pytest.mark.parametrize(
    "file",
    [f for f in FILES if f.startswith(("cells/", "search_spaces/"))]
    + ["nas/cli.py", *(f"nas/{verb}.py" for verb in VERBS)],
)
def test_no_third_party_package_at_module_level(file: str) -> None:
    third = {p for p, top in imports(file) if top} - set(sys.stdlib_module_names) - set(LAYERS)
    assert not third, f"{file} imports {third}"


def test_no_public_name_of_nas_is_a_submodule() -> None:
    modules = {f.stem for f in (ROOT / "nas").glob("*.py")} | {
        f.name for f in (ROOT / "nas").iterdir() if f.is_dir()
    }
    assert not set(nas.__all__) & modules
    for name in nas.__all__:
        assert callable(getattr(nas, name))
