"""Override fields of a recipe with `--set KEY=VALUE`.

KEY is a dotted path (`smoothing.largest`, `grids.heads.epochs`) or any unambiguous suffix of one (`largest`, `epochs`).
A path through a tuple changes every element; the value of a tuple is a comma-separated list. An optional part that a
recipe does not have (its `search`, the `identities` of a backbone training) is created when one of its fields is set.
Setting such a part to `none` removes it.
"""

from __future__ import annotations

import dataclasses
import logging
import types
import typing
from collections.abc import Collection, Iterator
from typing import Any, TypeVar

from backbones.errors import did_you_mean
from harness.data.protocol import Protocol
from harness.runner.backbone_recipe import BackboneRecipe
from harness.runner.ineffective_settings import ineffective_settings
from harness.runner.recipe import Recipe
from harness.training.heads.config import HeadConfig
from harness.utils.errors import InputError

logger = logging.getLogger(__name__)

AnyRecipe = TypeVar("AnyRecipe", Recipe, BackboneRecipe)
NAME_PARSERS = {HeadConfig: lambda text: HeadConfig(text), Protocol: lambda text: Protocol(text)}
"""Types that can be set by a name alone: `heads=mlp,logistic_regression`, `protocol=published`."""


KEYS_PAGES = {Recipe: "experiments/README.md", BackboneRecipe: "backbones/README.md"}
"""Pages that list all keys, by type of recipe."""
MAX_EXTRA_PARTS = 1
"""If a key is the suffix of several paths, the shortest is selected. The key is ambiguous if another path has at most
this many more parts."""


def apply_settings(recipe: AnyRecipe, settings: list[str]) -> AnyRecipe:
    """Return a copy of a recipe with some fields changed.

    Parameters
    ----------
    recipe : Recipe or BackboneRecipe
        The recipe.
    settings : list of str
        Settings of the form ``KEY=VALUE``, applied in order.

    Returns
    -------
    Recipe or BackboneRecipe
        The changed copy.

    Raises
    ------
    InputError
        If a key is unknown, ambiguous or not applicable to the recipe, or if a value is invalid.

    Examples
    --------
    >>> from harness.runner import Grid, Recipe
    >>> recipe = Recipe("mine", grids=(Grid("expr"),), backbones=("tiny_resnet@random",))
    >>> apply_settings(recipe, ["seeds=0,1,2", "largest=25"]).seeds
    (0, 1, 2)
    """
    changed: dict[tuple[str, ...], str] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key:
            example = "seeds=0,1,2" if isinstance(recipe, Recipe) else "training.seed=1"
            raise InputError(f"--set {setting}: use the form KEY=VALUE, for example --set {example}")
        path = _resolve_key(key.strip(), value.strip(), dict(_field_paths(type(recipe))), recipe)
        path = ("protocol",) if path == ("protocol", "name") else path
        _check_reachable(recipe, path, setting)
        recipe = _replace_field(recipe, path, value.strip(), setting)
        _warn_replaced(path, setting, changed)
        changed[path] = setting
        _check_protocol_settings(recipe, changed)
    if isinstance(recipe, Recipe):
        for path, reason in ineffective_settings(recipe, changed):
            logger.warning(f"--set {changed[path]} changes nothing in recipe '{recipe.name}': {reason}")
    return recipe


def _warn_replaced(path: tuple[str, ...], setting: str, changed: dict[tuple[str, ...], str]) -> None:
    """Warn if a setting replaces an object (other than the protocol) whose fields were set before."""
    replaced = [] if path == ("protocol",) else [other for other in changed if other[: len(path)] == path != other]
    for other in replaced:
        logger.warning(f"--set {changed.pop(other)} changes nothing, because --set {setting} replaces it; give it last")


def _check_protocol_settings(recipe: AnyRecipe, changed: dict[tuple[str, ...], str]) -> None:
    """Raise InputError if anything but the name is set in the protocol `published`, which has no held-out videos."""
    unused = [setting for path, setting in changed.items() if path[0] == "protocol" and path[1:]]
    if unused and isinstance(recipe, Recipe) and recipe.protocol.name == "published":
        raise InputError(
            f"--set {unused[0]}: the protocol published selects on the reported split and has no held-out videos; "
            "omit this setting, or set protocol=held-out before it"
        )


def _check_reachable(recipe: AnyRecipe, path: tuple[str, ...], setting: str) -> None:
    """Raise InputError for a path through an empty tuple, such as `trained.seeds` if the recipe trains no backbone."""
    parts: tuple[Any, ...] = (recipe,)
    for name in path[:-1]:
        values = [getattr(part, name) for part in parts if part is not None]
        parts = tuple(part for value in values for part in (value if isinstance(value, tuple) else (value,)))
        if not parts and values:
            fields = [f.name for f in dataclasses.fields(recipe) if f.name != path[0]]
            is_full = setting.startswith(".".join(path))
            full = "" if is_full else f"this is {'.'.join(path)}, but "
            hint = "" if is_full else did_you_mean(path[-1], fields, most=1, cutoff=0.7)
            hint = hint or "omit this setting"
            raise InputError(f"--set {setting}: {full}the recipe '{recipe.name}' has no {name}; {hint}")


def _field_paths(cls: type, prefix: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    hints = typing.get_type_hints(cls)
    for f in dataclasses.fields(cls):
        path = (*prefix, f.name)
        yield path, hints[f.name]
        inner = _field_dataclass(hints[f.name])
        if inner is not None:
            yield from _field_paths(inner, path)


def _field_dataclass(hint: Any) -> type | None:
    """Return the dataclass in a type hint that is a dataclass, an optional dataclass or a tuple of dataclasses."""
    for candidate in (hint, *typing.get_args(hint)):
        if isinstance(candidate, type) and dataclasses.is_dataclass(candidate):
            return candidate
    return None


def _resolve_key(key: str, text: str, paths: dict[tuple[str, ...], Any], recipe: Any) -> tuple[str, ...]:
    """Return the path that ends with `key`; if several do, paths through parts that the recipe lacks are ignored."""
    parts = tuple(key.split("."))
    if parts in paths:
        return parts
    matches = [path for path in paths if path[-len(parts) :] == parts]
    existing = [path for path in matches if _path_exists(recipe, path)]
    shortest = [path for path in existing if len(path) <= min(map(len, existing)) + MAX_EXTRA_PARTS]
    shortest = [path for path in shortest if _accepts_value(paths[path], text)] if len(shortest) > 1 else shortest
    if len(shortest) == 1 or len(matches) == 1:
        return (shortest or matches)[0]
    if matches:
        candidates = " or ".join(".".join(path) for path in existing or matches)
        raise InputError(f"--set {key} is ambiguous: {candidates}; use the full path")
    raise _unknown_key_error(key, paths, recipe)


def _unknown_key_error(key: str, paths: Collection[tuple[str, ...]], recipe: Any) -> InputError:
    """Create an error that names the keys most similar to an unknown one, and the page that lists all."""
    names = {".".join(path) for path in paths} | {path[-1] for path in paths}
    hint = f"{did_you_mean(key, sorted(names), cutoff=0.5)} {KEYS_PAGES[type(recipe)]} lists the keys"
    return InputError(f"unknown key in --set '{key}'; {hint.lstrip()}")


def _accepts_value(hint: Any, text: str) -> bool:
    """Whether a field of this type can be set to this text; a part with fields accepts only `none` or a name."""
    if text.lower() == "none":
        return type(None) in typing.get_args(hint)
    return hint in NAME_PARSERS or typing.get_origin(hint) is tuple or _field_dataclass(hint) is None


def _path_exists(value: Any, path: tuple[str, ...]) -> bool:
    """Whether all parts along `path` exist."""
    if isinstance(value, tuple):
        return any(_path_exists(element, path) for element in value)
    return value is not None and (len(path) == 1 or _path_exists(getattr(value, path[0]), path[1:]))


def _replace_field(value: Any, path: tuple[str, ...], text: str, setting: str) -> Any:
    if isinstance(value, tuple):
        return tuple(_replace_field(element, path, text, setting) for element in value)
    name, rest = path[0], path[1:]
    hint = typing.get_type_hints(type(value))[name]
    if rest:
        inner = getattr(value, name)
        if inner is None:
            inner = _field_dataclass(hint)()  # type: ignore[misc]
        new = _replace_field(inner, rest, text, setting)
    else:
        new, current = _parse(hint, text, setting), getattr(value, name)
        if isinstance(new, Protocol) and isinstance(current, Protocol) and new.name == current.name:
            new = current  # only the protocol's name was set, so its other settings stay
    return dataclasses.replace(value, **{name: new})


def _parse(hint: Any, text: str, setting: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return _parse_union(arguments, text, setting)
    if origin is tuple:
        parts = [part.strip() for part in text.split(",") if part.strip()]
        if arguments[-1] is not Ellipsis:
            if len(parts) != len(arguments):
                raise InputError(f"--set {setting}: expects {len(arguments)} values separated by commas")
            return tuple(_parse(a, part, setting) for a, part in zip(arguments, parts))
        return tuple(_parse(arguments[0], part, setting) for part in parts)
    if hint in NAME_PARSERS:
        return NAME_PARSERS[hint](text)
    if dataclasses.is_dataclass(hint):
        fields = ", ".join(f.name for f in dataclasses.fields(hint))
        raise InputError(f"--set {setting}: this setting has fields; set one of them: {fields}")
    return _parse_scalar(hint, text, setting)


def _parse_union(hints: tuple[Any, ...], text: str, setting: str) -> Any:
    """Parse an optional value, or a value that may also be a word such as `per-seed`."""
    words = [word for hint in hints if typing.get_origin(hint) is typing.Literal for word in typing.get_args(hint)]
    if text in words:
        return text
    if type(None) in hints and text.lower() == "none":
        return None
    hint = next(hint for hint in hints if hint is not type(None) and typing.get_origin(hint) is not typing.Literal)
    try:
        return _parse(hint, text, setting)
    except InputError as error:
        raise InputError(f"{error}; or {', '.join(words)}") if words else error from None


def _parse_scalar(hint: Any, text: str, setting: str) -> Any:
    if hint is bool:
        if text.lower() not in ("true", "false"):
            raise InputError(f"--set {setting}: expects true or false")
        return text.lower() == "true"
    try:
        return hint(text)
    except ValueError:
        kind = {int: "an integer", float: "a number"}.get(hint, hint.__name__)
        raise InputError(f"--set {setting}: expects {kind}, not '{text}'") from None
