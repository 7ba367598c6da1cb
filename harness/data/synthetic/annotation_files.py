"""Writer of the annotation files of the third ABAW challenge."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.data.synthetic.video import VideoAnnotations
from harness.metrics.tasks import ACTION_UNITS, AFFECTS, EXPRESSIONS

ANNOTATIONS = "Third ABAW Annotations"
TEST_LISTS = ("Valence_Arousal_Estimation", "Expression_Classification", "Action_Unit_Detection")
MTL_HEADER = "image,valence,arousal,expression,aus"
MTL_STEP = 5
FOLDERS = {"T": "Train_Set", "V": "Validation_Set"}


def _format_csv(header: tuple[str, ...], rows: list[str]) -> str:
    return "\n".join([",".join(header), *rows]) + "\n"


def _format_affect(pair: np.ndarray) -> str:
    return ",".join(f"{value:.3f}" if value >= -1 else "-5" for value in pair)


def _format_action_units(row: np.ndarray) -> str:
    return ",".join(map(str, row))


def _write_video_files(root: Path, folder: str, video: VideoAnnotations) -> None:
    contents = {
        "VA_Estimation": _format_csv(AFFECTS, [_format_affect(pair) for pair in video.affect]),
        "EXPR_Classification": _format_csv(EXPRESSIONS, [str(value) for value in video.expression]),
        "AU_Detection": _format_csv(ACTION_UNITS, [_format_action_units(row) for row in video.action_units]),
    }
    for challenge, text in contents.items():
        path = root / ANNOTATIONS / f"{challenge}_Challenge" / folder / f"{video.name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _format_mtl_rows(video: VideoAnnotations) -> list[str]:
    """Format one row for every MTL_STEP-th crop, including its invalid labels."""
    rows = []
    for frame in video.crops[::MTL_STEP]:
        labels = (video.affect[frame - 1], video.expression[frame - 1], video.action_units[frame - 1])
        rows.append(
            f"{video.name}/{frame:05d}.jpg,{_format_affect(labels[0])},{labels[1]},{_format_action_units(labels[2])}"
        )
    return rows


def write_annotations(root: Path, videos: list[tuple[str, VideoAnnotations]]) -> None:
    """Write annotation files and test lists.

    The first row of the multi-task training file is written twice, as an example of a duplicate row.

    Parameters
    ----------
    root : Path
    videos : list of (str, VideoAnnotations)
        Split letter (see `split_letter`) and annotations of each video.
    """
    mtl: dict[str, list[str]] = {"T": [], "V": [], "X": []}
    for split, video in videos:
        if split in FOLDERS:
            _write_video_files(root, FOLDERS[split], video)
        mtl[split] += _format_mtl_rows(video)
    mtl["T"][1:1] = mtl["T"][:1]
    (root / ANNOTATIONS / "MTL_Challenge").mkdir(parents=True)
    for split, name in (("T", "train_set.txt"), ("V", "validation_set.txt")):
        path = root / ANNOTATIONS / "MTL_Challenge" / name
        path.write_text(_format_csv((MTL_HEADER,), mtl[split]), encoding="utf-8")
    names = "".join(f"{video.name}\n" for split, video in videos if split == "X")
    for challenge in TEST_LISTS:
        (root / f"{challenge}_Challenge_test_set_release.txt").write_text(names, encoding="utf-8")
    images = [row.split(",")[0] for row in mtl["X"]]
    path = root / "Multi_Task_Learning_Challenge_test_set_release.txt"
    path.write_text(_format_csv((MTL_HEADER,), images), encoding="utf-8")
