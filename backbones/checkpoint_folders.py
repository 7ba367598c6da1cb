"""Find checkpoint folders by their names and by the names in their cards."""

from __future__ import annotations

from pathlib import Path

from backbones.atomic_files import restore_displaced
from backbones.card import CARD, read_card
from backbones.errors import BackboneError


def is_checkpoint(folder: Path) -> bool:
    """Return whether a folder contains a card."""
    if not folder.exists():
        restore_displaced(folder.parent, folder.name)
    return (folder / CARD).is_file()


def entries(checkpoints: Path | None) -> dict[str, Path]:
    """List the trained and imported backbones without reading their cards.

    Parameters
    ----------
    checkpoints : Path or None
        The folder that contains the checkpoint folders.

    Returns
    -------
    dict of str to Path
        Checkpoint folders by name, sorted; empty if `checkpoints` is None or not a folder.

    Examples
    --------
    >>> import backbones
    >>> backbones.entries(None)
    {}
    """
    if checkpoints is None or not Path(checkpoints).is_dir():
        return {}
    restore_displaced(Path(checkpoints))
    folders = sorted(path for path in Path(checkpoints).iterdir() if not path.name.startswith("."))
    return {path.name: path for path in folders if is_checkpoint(path)}


def entries_by_name(checkpoints: Path | None) -> dict[str, Path]:
    """Map names to checkpoint folders: the name of each folder, and each name that occurs in only one card."""
    unique = {name: paths[0] for name, paths in entries_by_card(checkpoints).items() if len(paths) == 1}
    return unique | entries(checkpoints)


def entries_by_card(checkpoints: Path | None) -> dict[str, list[Path]]:
    """Group checkpoint folders by the names in their cards; backbones trained with the same recipe share a name."""
    folders: dict[str, list[Path]] = {}
    for path in entries(checkpoints).values():
        try:
            folders.setdefault(str(read_card(path)["name"]), []).append(path)
        except BackboneError:
            continue  # the error is raised when this backbone itself is loaded
    return folders
