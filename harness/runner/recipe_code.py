"""Code of a recipe: the files that it consists of, and whether they do more than describe an experiment.

A recipe is Python code and can change anything that runs in its process. Most recipes only assign settings, which are
in the configuration of each run. If a recipe does anything else, two results count as results of the same code only if
the hashes of their recipe files are equal; see `harness.tracking.code_identity.code_key`.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from pathlib import Path

from harness.tracking.code_identity import CodeIdentity, hash_files, identify_code
from harness.tracking.environment import PROJECT_ROOT

DESCRIPTIVE_MODULES = frozenset({"__future__", "collections.abc", "harness", "framelight", "math"})
"""Modules from which a recipe that only describes an experiment may import any name."""
DESCRIPTIVE_NAMES = {"dataclasses": frozenset({"replace"}), "itertools": frozenset({"product"})}
"""Names that such a recipe may import from other modules, by module."""
DESCRIPTIVE_BUILTINS = frozenset(
    {
        *("dict", "frozenset", "list", "set", "tuple", "float", "int", "str"),
        *("enumerate", "len", "max", "min", "range", "sorted", "sum", "zip"),
    }
)
DESCRIPTIVE_NODES = (
    ast.Module,
    ast.FunctionDef,
    ast.arguments,
    ast.arg,
    ast.Return,
    ast.Assign,
    ast.AnnAssign,
    ast.Expr,
    ast.Assert,
    ast.Import,
    ast.ImportFrom,
    ast.alias,
    ast.Call,
    ast.keyword,
    ast.Constant,
    ast.Tuple,
    ast.List,
    ast.Set,
    ast.Dict,
    ast.Name,
    ast.Attribute,
    ast.Subscript,
    ast.Slice,
    ast.Starred,
    ast.BinOp,
    ast.UnaryOp,
    ast.IfExp,
    ast.Compare,
    ast.BoolOp,
    ast.JoinedStr,
    ast.FormattedValue,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
    ast.comprehension,
    ast.expr_context,
    ast.operator,
    ast.unaryop,
    ast.cmpop,
    ast.boolop,
)
"""Syntax of a recipe that only describes an experiment: no classes, and no `for`, `if` or `try` statements."""


def identify_recipe_code(path: Path) -> CodeIdentity:
    """Return the hashes of Framelight's own packages and of the files of a recipe.

    Parameters
    ----------
    path : Path
        File of the recipe. Modules of its folder and of `experiments` that it imports, directly or indirectly, are part
        of the recipe; modules that it imports at run time, with `importlib` for instance, are not.
    """
    path = Path(path).resolve()
    trees = _parse_files(path)
    files = {
        file.relative_to(path.parent if file.is_relative_to(path.parent) else PROJECT_ROOT).as_posix(): file
        for file in trees
    }
    return identify_code(hash_files(files), not all(_only_describes(tree, file) for file, tree in trees.items()))


def _parse_files(path: Path) -> dict[Path, ast.Module]:
    """Parse a recipe and the local modules that it imports; return the syntax trees by path."""
    trees: dict[Path, ast.Module] = {}
    pending = [path]
    while pending:
        file = pending.pop()
        if file not in trees:
            trees[file] = ast.parse(file.read_bytes(), str(file))
            pending += _local_imports(trees[file], path.parent)
    return trees


def _local_imports(tree: ast.Module, folder: Path) -> Iterator[Path]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or "", *(f"{node.module or ''}.{alias.name}".lstrip(".") for alias in node.names)]
        else:
            continue
        yield from (file for module in modules if module and (file := _find_module(module, folder)))


def _find_module(module: str, folder: Path) -> Path | None:
    """Return the file of a module in the folder of the recipe or in `experiments`; None for other modules."""
    parts = module.split(".")
    roots = [PROJECT_ROOT] if parts[0] == "experiments" else [folder]
    if parts[0] == folder.name:
        roots.append(folder.parent)
    if parts[0] in ("harness", "framelight", "backbones"):
        return None
    candidates = [
        file
        for root in roots
        for file in (root.joinpath(*parts).with_suffix(".py"), root.joinpath(*parts, "__init__.py"))
    ]
    return next((file.resolve() for file in candidates if file.is_file()), None)


def _only_describes(tree: ast.Module, path: Path) -> bool:
    """Whether a module only imports settings, computes new ones and assigns them to names."""
    callables = set(DESCRIPTIVE_BUILTINS)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            callables.add(node.name)
        elif isinstance(node, ast.Import):
            if not {alias.name for alias in node.names} <= DESCRIPTIVE_MODULES:
                return False
            callables |= {f"{alias.asname or alias.name}." for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            if not _imports_settings(node, path.parent):
                return False
            callables |= {alias.asname or alias.name for alias in node.names}
    return all(_is_descriptive(node, callables) for node in ast.walk(tree))


def _imports_settings(node: ast.ImportFrom, folder: Path) -> bool:
    module = node.module or ""
    if module in DESCRIPTIVE_MODULES or {alias.name for alias in node.names} <= DESCRIPTIVE_NAMES.get(module, set()):
        return True
    return _find_module(module, folder) is not None or module == "experiments"


def _is_descriptive(node: ast.AST, callables: set[str]) -> bool:
    """Whether a node is allowed; `callables` has names of functions, and names of modules followed by a dot."""
    if not isinstance(node, DESCRIPTIVE_NODES):
        return False
    if isinstance(node, ast.Call):
        return _called_name(node.func) in callables
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return all(
            isinstance(part, (ast.Name, ast.Tuple, ast.Starred)) for target in targets for part in _parts(target)
        )
    if isinstance(node, ast.FunctionDef):
        return not node.decorator_list
    if isinstance(node, ast.Name):
        return node.id in DESCRIPTIVE_BUILTINS or not (node.id.startswith("__") or hasattr(builtins, node.id))
    return not (isinstance(node, ast.Attribute) and node.attr.startswith("_"))


def _called_name(function: ast.expr) -> str:
    """Return the name of a called function; for a function of a module, the module's name followed by a dot."""
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        return f"{function.value.id}."
    return function.id if isinstance(function, ast.Name) else ""


def _parts(target: ast.expr) -> Iterator[ast.expr]:
    """Yield the target of an assignment and, if it is a tuple, its parts."""
    yield target
    for part in target.elts if isinstance(target, ast.Tuple) else ():
        yield from _parts(part)
