"""The annotation files of the third ABAW challenge, as text."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.data.synthetic.video import Annotations
from harness.metrics.tasks import ACTION_UNITS, AFFECTS, EXPRESSIONS

ANNOTATIONS = "Third ABAW Annotations"
TEST_LISTS = ("Valence_Arousal_Estimation", "Expression_Classification", "Action_Unit_Detection")
MTL_HEADER = "image,valence,arousal,expression,aus"
MTL_STEP = 5
FOLDERS = {"T": "Train_Set", "V": "Validation_Set"}


def _lines(header: tuple[str, ...], rows: list[str]) -> str:
    return "\n".join([",".join(header), *rows]) + "\n"


def _affect(pair: np.ndarray) -> str:
    return ",".join(f"{value:.3f}" if value >= -1 else "-5" for value in pair)


def _units(row: np.ndarray) -> str:
    return ",".join(map(str, row))


def _video_files(root: Path, folder: str, video: Annotations) -> None:
    contents = {
        "VA_Estimation": _lines(AFFECTS, [_affect(pair) for pair in video.affect]),
        "EXPR_Classification": _lines(EXPRESSIONS, [str(value) for value in video.expression]),
        "AU_Detection": _lines(ACTION_UNITS, [_units(row) for row in video.action_units]),
    }
    for challenge, text in contents.items():
        path = root / ANNOTATIONS / f"{challenge}_Challenge" / folder / f"{video.name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _mtl_rows(video: Annotations) -> list[str]:
    """Every MTL_STEP-th crop, with whatever labels of it are valid; the first video's first row stands twice."""
    rows = []
    for frame in video.crops[::MTL_STEP]:
        labels = (video.affect[frame - 1], video.expression[frame - 1], video.action_units[frame - 1])
        rows.append(f"{video.name}/{frame:05d}.jpg,{_affect(labels[0])},{labels[1]},{_units(labels[2])}")
    return rows


def write_layout(root: Path, videos: list[tuple[str, Annotations]]) -> None:
    """Write annotations and test lists of (split letter, video) pairs under `root`."""
    mtl: dict[str, list[str]] = {"T": [], "V": [], "X": []}
    for split, video in videos:
        if split in FOLDERS:
            _video_files(root, FOLDERS[split], video)
        mtl[split] += _mtl_rows(video)
    mtl["T"][1:1] = mtl["T"][:1]
    (root / ANNOTATIONS / "MTL_Challenge").mkdir(parents=True)
    for split, name in (("T", "train_set.txt"), ("V", "validation_set.txt")):
        path = root / ANNOTATIONS / "MTL_Challenge" / name
        path.write_text(_lines((MTL_HEADER,), mtl[split]), encoding="utf-8")
    names = "".join(f"{video.name}\n" for split, video in videos if split == "X")
    for challenge in TEST_LISTS:
        (root / f"{challenge}_Challenge_test_set_release.txt").write_text(names, encoding="utf-8")
    images = [row.split(",")[0] for row in mtl["X"]]
    path = root / "Multi_Task_Learning_Challenge_test_set_release.txt"
    path.write_text(_lines((MTL_HEADER,), images), encoding="utf-8")
