"""Small frame tables for tests, written as real files."""

import json

from tests.helpers.data_folders import crops, write


def frame_table(root, header, *rows, videos=("a", "b"), frames=range(1, 11), settings=None, folder="cropped"):
    """labels.csv, labels.json if there are settings, and crops of each video if there are videos."""
    for video in videos:
        crops(root, video, frames, folder)
    write(root / "labels.csv", header, *rows)
    if settings is not None:
        (root / "labels.json").write_text(json.dumps(settings))
    return root


def by_frame(labels, output="expr"):
    """The label of each frame, by video and frame."""
    names = [labels.sequences[i] for i in labels.sequence]
    return dict(zip(zip(names, labels.frame.tolist()), labels.targets[output].tolist()))
