"""Get an export from MLflow's model registry: `models:/NAME@ALIAS` or `models:/NAME/VERSION`."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from backbones.regular_files import hash_file
from harness.export.registry.mlflow_registry import FILE, FOLDER, MODEL, SHA256, Registry, Version
from harness.tracking import locate
from harness.utils.errors import FramelightError, InputError, unknown_name_error
from harness.utils.files import atomic_write_dir
from harness.utils.store import Store

PREFIX = "models:/"
_ID = re.compile(r"[A-Za-z0-9_-]+")
"""Pattern of MLflow model ids. The id in a tag becomes part of a path, which other values could lead out of the store.
"""
_URI = re.compile(r"models:/(?P<name>[^/@:'\"]+)(@(?P<alias>[^/@'\"]+)|/(?P<version>\d+))")


def fetch_model(uri: str, store: Store) -> Path:
    """Get the export folder of a registered model; download it into the store if it is not on this machine.

    Parameters
    ----------
    uri : str
        `models:/NAME@ALIAS` or `models:/NAME/VERSION`.
    store : Store

    Raises
    ------
    InputError
        If `uri` is malformed, the model, alias or version is unknown, or Framelight did not register the model.
    FramelightError
        If the server does not answer, or the model's file is missing or has changed.
    """
    match = _URI.fullmatch(uri)
    if match is None:
        raise InputError(
            f"'{uri}' is not a model URI; write {PREFIX}NAME@ALIAS, such as "
            f"{PREFIX}framelight-expr-NAME@champion, or {PREFIX}NAME/VERSION"
        )
    location = locate(store)
    if location.database is not None and not location.database.is_file():
        raise InputError(
            f"there is no model '{uri}': {location} has no tracked runs yet; pass the store that "
            "the model was exported from with --store DIR"
        )
    registry = Registry(location, reading_only=True)
    version = _find_version(registry, match["name"], match["alias"], match["version"])
    folder = _version_folder(registry, version)
    if not _is_intact(version, folder):
        raise FramelightError(
            f"{folder / FILE} {'has changed' if (folder / FILE).is_file() else 'is missing'} since "
            f"{version.uri} was registered; export run "
            f"{version.tags.get('framelight.run_id')} again to register a new version"
        )
    return folder


def _find_version(registry: Registry, name: str, alias: str | None, number: str | None) -> Version:
    versions = {version.number: version for version in registry.versions(name)}
    if not versions:
        names = [other for other in registry.names() if other.startswith("framelight-")]
        if not names:
            raise InputError(
                f"no model is registered at {registry.location}; register one with framelight export RUN --out DIR"
            )
        raise unknown_name_error("model", name, names)
    if alias is not None:
        aliases = registry.aliases(name)
        if not aliases:
            raise InputError(
                f"{name} has no alias '{alias}', nor any other: none of its runs was significantly better than the "
                f"rest of its leaderboard when it was exported. Choose a version: {_list_versions(name, versions)}"
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
        raise InputError(
            f"{version.uri} was not registered by framelight export and cannot be read; choose another model"
        )
    local = registry.folder(version)
    if local is not None:
        return local / FOLDER
    cached = registry.location.store.models / version.tags[MODEL]
    if not _is_intact(version, cached / FOLDER):
        shutil.rmtree(cached, ignore_errors=True)
        with atomic_write_dir(cached) as temp_dir:
            registry.fetch(version, temp_dir)
    return cached / FOLDER


def _is_intact(version: Version, folder: Path) -> bool:
    """Return whether the model's file exists and has the registered hash."""
    return (folder / FILE).is_file() and hash_file(folder / FILE) == version.tags[SHA256]
