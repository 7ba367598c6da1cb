"""RAF-DB as released: a list of expressions and one folder of images (Li et al. 2017, doi 10.1109/CVPR.2017.277)."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from harness.data.annotation_formats import read_text
from harness.data.expression_folders import RAF_DB
from harness.data.image_table_stills import TableStills
from harness.data.listed_images import ListedImages
from harness.utils.errors import InputError

LISTS = tuple(
    f"{folder}list_{word}_label.txt"
    for folder in ("basic/EmoLabel/", "EmoLabel/", "basic/", "")
    for word in ("patition", "partition")
)
"""Possible paths of the list, whose name is misspelled in the release."""
IMAGE_FOLDERS = ("Image/aligned", "aligned", "Image/original", "original")
NUMBERS = tuple(str(number) for number in range(1, len(RAF_DB) + 1))


class RafDB(ListedImages):
    """RAF-DB, basic expressions. The aligned images are read; without them, the uncropped originals.

    Parameters
    ----------
    root : Path
    seed : int, default 0
        Used only if the list has no test images: seed of the validation split.
    """

    layout = "RAF-DB (basic/EmoLabel/list_patition_label.txt and basic/Image/aligned/train_00001_aligned.jpg)"

    def __init__(self, root: Path, seed: int = 0):
        path = _find_list(root)
        assert path is not None
        base = path.parent.parent if path.parent.name == "EmoLabel" else path.parent
        folder = next((base / name for name in IMAGE_FOLDERS if (base / name).is_dir()), None)
        if folder is None:
            raise InputError(f"{base / IMAGE_FOLDERS[0]}: no such folder; put the images of RAF-DB there")
        suffix = "_aligned" if folder.name == "aligned" else ""
        place = folder.relative_to(root).as_posix()
        images = [
            (f"{place}/{stem}{suffix}.jpg", expression, stem.partition("_")[0]) for stem, expression in _read_list(path)
        ]
        self.list = path
        super().__init__(root, images, seed)

    @classmethod
    def detect(cls, root: Path) -> bool:
        """Return whether `root` has the list."""
        return _find_list(root) is not None

    @classmethod
    def open(cls, root: Path, seed: int) -> Self:
        """Open `root`; `seed` is used only if the list has no test images."""
        return cls(root, seed)

    def summary(self) -> tuple[tuple[str, str], ...]:
        """Return the path of the list and the origin of the splits."""
        return (("list", str(self.list.relative_to(self.root))), *super().summary())


class RafDBStills(TableStills):
    """RAF-DB as still images for training backbones; see `RafDB`."""

    layout = RafDB.layout
    table_class = RafDB


def _find_list(root: Path) -> Path | None:
    return next((root / name for name in LISTS if (root / name).is_file()), None)


def _read_list(path: Path) -> list[tuple[str, str]]:
    """Return the name without suffix and the expression of each image."""
    rows: list[tuple[str, str]] = []
    for line, text in enumerate(read_text(path).splitlines(), start=1):
        cells = text.split()
        if not cells:
            continue
        stem = cells[0].rpartition(".")[0]
        if len(cells) != 2 or stem.partition("_")[0] not in ("train", "test") or cells[1] not in NUMBERS:
            raise InputError(f"{path}:{line}: '{text}' is not an image and a number, such as 'train_00001.jpg 5'")
        rows.append((stem, RAF_DB[int(cells[1]) - 1]))
    if not rows:
        raise InputError(f"{path}: the list is empty; replace it with the list of the RAF-DB release")
    return rows
