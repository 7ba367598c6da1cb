"""The folder of an export from MLflow's registry: `models:/NAME@ALIAS` or `models:/NAME/VERSION`."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from harness.export.registry.registry import FILE, FOLDER, MODEL, SHA256
from harness.tracking import locate
from harness.utils.errors import FramelightError, InputError, unknown_name_error
from harness.utils.files import atomic_write_dir, sha256
from harness.utils.store import Store

if TYPE_CHECKING:
    from harness.export.registry.registry import Registry, Version

PREFIX = "models:/"
_ID = re.compile(r"[A-Za-z0-9_-]+")
"""What MLflow's ids of models look like; a tag of another look could lead out of the store."""
_URI = re.compile(r"models:/(?P<name>[^/@:'\"]+)(@(?P<alias>[^/@'\"]+)|/(?P<version>\d+))")


def fetch_model(uri: str, store: Store) -> Path:
    """The folder of the export that a registered model was made of: in the store, downloaded there if need be.

    InputError for a model, an alias or a version that is not there, and for a model that no export made;
    FramelightError where a server does not answer, or the model's file is gone or altered.
    """
    named = _URI.fullmatch(uri)
    if named is None:
        raise InputError(
            f"'{uri}' names no model; write {PREFIX}NAME@ALIAS, such as "
            f"{PREFIX}framelight-expr-NAME@champion, or {PREFIX}NAME/VERSION"
        )
    location = locate(store)
    if location.database is not None and not location.database.is_file():
        raise InputError(
            f"there is no model '{uri}': nothing was tracked at {location.uri} yet; name the store that "
            "it was exported from with --store DIR"
        )
    from harness.export.registry.registry import Registry

    registry = Registry(location, reading_only=True)
    version = _find_version(registry, named["name"], named["alias"], named["version"])
    folder = _version_folder(registry, version)
    if not _is_intact(version, folder):
        raise FramelightError(
            f"{folder / FILE} is {'altered' if (folder / FILE).is_file() else 'gone'}: it is not the "
            f"file that {version.uri} was registered with; export run "
            f"{version.tags.get('framelight.run_id')} again, which registers it anew"
        )
    return folder


def _find_version(registry: Registry, name: str, alias: str | None, number: str | None) -> Version:
    versions = {version.number: version for version in registry.versions(name)}
    if not versions:
        names = [known for known in registry.names() if known.startswith("framelight-")]
        if not names:
            raise InputError(
                f"no model is registered at {registry.location.uri}; make one: framelight export RUN --out DIR"
            )
        raise unknown_name_error("model", name, names)
    if alias is not None:
        aliases = registry.aliases(name)
        if not aliases:
            raise InputError(
                f"{name} has no alias '{alias}', nor any other: none of its runs led its board beyond the "
                f"tie when it was exported. Name a version: {_list_versions(name, versions)}"
            )
        if alias not in aliases:
            raise unknown_name_error(f"alias of {name}", alias, aliases)
        number = aliases[alias]
    if str(number) not in versions:
        raise InputError(f"{name} has no version {number}; it has {_list_versions(name, versions)}")
    return versions[str(number)]


def _list_versions(name: str, versions: dict[str, Version]) -> str:
    return ", ".join(f"{PREFIX}{name}/{number}" for number in list(versions)[-5:])


def _version_folder(registry: Registry, version: Version) -> Path:
    if SHA256 not in version.tags or not _ID.fullmatch(version.tags.get(MODEL, "")):
        raise InputError(f"{version.uri} was not made by framelight export; Framelight cannot read it")
    here = registry.folder(version)
    if here is not None:
        return here / FOLDER
    kept = registry.location.store.models / version.tags[MODEL]
    if not _is_intact(version, kept / FOLDER):
        shutil.rmtree(kept, ignore_errors=True)
        with atomic_write_dir(kept) as aside:
            registry.fetch(version, aside)
    return kept / FOLDER


def _is_intact(version: Version, folder: Path) -> bool:
    """Whether the model's file is there and is the one that was registered."""
    return (folder / FILE).is_file() and sha256(folder / FILE) == version.tags[SHA256]
