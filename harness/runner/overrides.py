"""`--set KEY=VALUE`: typed replacement of a recipe's fields.

KEY is a dotted path (`smoothing.largest`, `grids.heads.epochs`) or any unambiguous end of one (`largest`, `epochs`).
A path through a tuple changes every element; a tuple's value is a comma-separated list. A part that a recipe leaves
out (its search, a training's identities) is there as soon as one of its fields is set, and gone when it is `none`.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterator
from typing import Any, TypeVar

from harness.data.protocol import Protocol
from harness.runner.backbone_recipe import BackboneRecipe
from harness.runner.recipe import Recipe
from harness.training.heads.config import HeadConfig
from harness.utils.errors import InputError, unknown_name_error

AnyRecipe = TypeVar("AnyRecipe", Recipe, BackboneRecipe)
NAME_PARSERS = {HeadConfig: lambda text: HeadConfig(text), Protocol: lambda text: Protocol(text)}
"""Types that a bare name stands for: `heads=mlp,logistic_regression`, `protocol=published`."""


MAX_EXTRA_PARTS = 1
"""An end of several paths means the shortest where the others have more parts than this besides."""


def apply_settings(recipe: AnyRecipe, settings: list[str]) -> AnyRecipe:
    """The recipe with each `KEY=VALUE` applied in order; InputError for an unknown key or an unfit value."""
    changed: dict[tuple[str, ...], str] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key:
            example = "seeds=0,1,2" if isinstance(recipe, Recipe) else "training.seed=1"
            raise InputError(f"--set {setting}: write KEY=VALUE, for instance --set {example}")
        path = _resolve_key(key.strip(), value.strip(), dict(_field_paths(type(recipe))), recipe)
        recipe = _replace_field(recipe, path, value.strip(), setting)
        changed[path] = setting
    _check_protocol_settings(recipe, changed)
    return recipe


def _check_protocol_settings(recipe: AnyRecipe, changed: dict[tuple[str, ...], str]) -> None:
    """InputError for a setting of the slice that chooses under a protocol that has none."""
    idle = [setting for path, setting in changed.items() if path[0] == "protocol" and path[1:] not in ((), ("name",))]
    if idle and isinstance(recipe, Recipe) and recipe.protocol.name == "published":
        raise InputError(
            f"--set {idle[0]}: the protocol published chooses on the reported split itself and holds "
            "nothing out; leave it out, or use the protocol held-out"
        )


def _field_paths(cls: type, prefix: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    hints = typing.get_type_hints(cls)
    for f in dataclasses.fields(cls):
        path = (*prefix, f.name)
        yield path, hints[f.name]
        inner = _field_dataclass(hints[f.name])
        if inner is not None:
            yield from _field_paths(inner, path)


def _field_dataclass(hint: Any) -> type | None:
    """The dataclass a field holds: itself, optional, or in a tuple."""
    if dataclasses.is_dataclass(hint):
        return hint
    for argument in typing.get_args(hint):
        if dataclasses.is_dataclass(argument):
            return argument
    return None


def _resolve_key(key: str, text: str, paths: dict[tuple[str, ...], Any], recipe: Any) -> tuple[str, ...]:
    """The path that `key` ends; a part the recipe does not have (its search, say) must be written out."""
    wanted = tuple(key.split("."))
    if wanted in paths:
        return wanted
    ends = [path for path in paths if path[-len(wanted) :] == wanted]
    there = [path for path in ends if _path_exists(recipe, path)]
    near = [path for path in there if len(path) <= min(map(len, there)) + MAX_EXTRA_PARTS]
    near = [path for path in near if _accepts_value(paths[path], text)] if len(near) > 1 else near
    if len(near) == 1 or len(ends) == 1:
        return (near or ends)[0]
    if ends:
        could = " or ".join(".".join(path) for path in there or ends)
        raise InputError(f"--set {key} could be {could}; write one of them out")
    raise unknown_name_error("key in --set", key, {".".join(p) for p in paths} | {p[-1] for p in paths})


def _accepts_value(hint: Any, text: str) -> bool:
    """Whether such a field may have such a value: a part is only named or switched off, and nothing else is."""
    if text.lower() == "none":
        return type(None) in typing.get_args(hint)
    return hint in NAME_PARSERS or typing.get_origin(hint) is tuple or _field_dataclass(hint) is None


def _path_exists(value: Any, path: tuple[str, ...]) -> bool:
    """Whether everything that `path` leads through is there."""
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
        new = _parse(hint, text, setting)
    return dataclasses.replace(value, **{name: new})


def _parse(hint: Any, text: str, setting: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        if text.lower() == "none":
            return None
        return _parse(next(a for a in arguments if a is not type(None)), text, setting)
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
        raise InputError(f"--set {setting}: has parts, set one of them: {fields}")
    return _parse_scalar(hint, text, setting)


def _parse_scalar(hint: Any, text: str, setting: str) -> Any:
    if hint is bool:
        if text.lower() not in ("true", "false"):
            raise InputError(f"--set {setting}: expects true or false")
        return text.lower() == "true"
    try:
        return hint(text)
    except ValueError:
        kind = {int: "a whole number", float: "a number"}.get(hint, hint.__name__)
        raise InputError(f"--set {setting}: expects {kind}, not '{text}'") from None
