"""The synthetic dataset: determinism, layout, labels, faces and speed."""

from __future__ import annotations

import csv
import json
import time
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from harness.data.check import check_dataset
from harness.data.image_table import ImageTable
from harness.data.registry import open_dataset
from harness.data.synthetic import make, make_stills, stills, video
from harness.data.synthetic.render import render_faces
from harness.metrics.tasks import ACTION_UNITS, EXPRESSIONS
from harness.utils.errors import InputError
from tests.helpers.face_scenes import neutral_scene

ANNOTATIONS = "Third ABAW Annotations"
HEADERS = {
    "VA_Estimation": "valence,arousal",
    "EXPR_Classification": ",".join(EXPRESSIONS),
    "AU_Detection": ",".join(ACTION_UNITS),
}
SMALL = {"videos": 4, "frames": 14, "stills": 18, "identities": 6}


def contents(root):
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("synthetic") / "set"
    ticks = []
    make(root, videos=7, frames=192, stills=48, identities=6, progress=lambda *counts: ticks.append(counts))
    assert ticks == sorted(ticks) and ticks[-1] == (1392, 1392)
    return root


def test_same_seed_gives_same_bytes_for_any_number_of_workers(tmp_path):
    make(tmp_path / "one", **SMALL, seed=3)
    make(tmp_path / "two", **SMALL, seed=3, workers=2)
    make(tmp_path / "other", **SMALL, seed=4)
    one, two, other = (contents(tmp_path / name) for name in ("one", "two", "other"))
    assert one == two
    shared = [name for name in one if name.endswith(".jpg") and name in other]
    assert len(shared) > 20 and all(one[name] != other[name] for name in shared)


def test_video_does_not_depend_on_how_many_there_are(tmp_path):
    make(tmp_path / "few", **SMALL | {"stills": 0})
    make(tmp_path / "more", **SMALL | {"stills": 0, "videos": 6})
    few, more = contents(tmp_path / "few"), contents(tmp_path / "more")
    own = [name for name in few if name.endswith(".jpg") or "_Set/" in name]
    assert len(own) > 50 and all(few[name] == more[name] for name in own)


def test_stills_alone_are_the_stills_of_the_set(tmp_path):
    make(tmp_path / "set", **SMALL)
    make_stills(tmp_path / "stills", images=18, identities=6)
    alone = contents(tmp_path / "stills")
    alone.pop("synthetic.json")
    assert alone == contents(tmp_path / "set" / "stills")


@pytest.mark.parametrize("challenge", HEADERS)
def test_annotations_line_by_line(made, challenge):
    lengths, values = [], []
    for path in sorted((made / ANNOTATIONS / f"{challenge}_Challenge").glob("*_Set/*.txt")):
        header, *lines = path.read_text().splitlines()
        assert header == HEADERS[challenge]
        lengths.append(len(lines))
        values.append(np.array([line.split(",") for line in lines], dtype=float))
    assert set(lengths) <= {192, 193} and len(lengths) == 6
    rows = np.concatenate(values)
    if challenge == "VA_Estimation":
        invalid = rows == -5
        assert invalid.any() and rows[~invalid].min() >= -1 and rows[~invalid].max() <= 1
        assert np.ptp(rows[~invalid]) > 1
    else:
        assert (rows == -1).any() and set(np.unique(rows)) <= set(range(-1, 8 if rows.shape[1] == 1 else 2))


def test_every_class_and_action_unit_in_train_and_validation(made):
    for split in ("Train_Set", "Validation_Set"):
        read = {
            challenge: np.concatenate(
                [
                    np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2)
                    for path in sorted((made / ANNOTATIONS / f"{challenge}_Challenge" / split).iterdir())
                ]
            )
            for challenge in HEADERS
        }
        assert set(read["EXPR_Classification"].ravel()) >= set(range(8))
        assert ((read["AU_Detection"] == 1).sum(axis=0) > 5).all()


def test_multi_task_files_and_test_lists(made):
    for name in ("train_set", "validation_set"):
        header, *rows = (made / ANNOTATIONS / "MTL_Challenge" / f"{name}.txt").read_text().splitlines()
        assert header == "image,valence,arousal,expression,aus" and len(rows) > 50
        cells = [row.split(",") for row in rows]
        assert {len(row) for row in cells} == {16}
        assert all((made / "cropped_aligned" / row[0]).is_file() for row in cells)
    names = (made / "Expression_Classification_Challenge_test_set_release.txt").read_text().split()
    annotated = {path.stem for path in (made / ANNOTATIONS).glob("EXPR*/*/*.txt")}
    assert names == ["video4"] and not annotated & set(names)
    listed = (made / "Multi_Task_Learning_Challenge_test_set_release.txt").read_text().splitlines()
    assert listed[0].startswith("image,") and all((made / "cropped_aligned" / image).is_file() for image in listed[1:])


def test_synthetic_set_has_the_quirks_of_the_real_one(made):
    folders = sorted(path.name for path in (made / "cropped_aligned").iterdir())
    assert len(folders) == 7 and {"5-30-640x480_left", "5-30-640x480_right"} <= set(folders)
    counts = [len(list((made / "cropped_aligned" / name).iterdir())) for name in folders]
    assert max(counts) <= 192 and min(counts) < 192 and sum(counts) > 1280


def test_readers_find_no_errors(made):
    assert set(open_dataset(made).tasks()) == {"expr", "va", "au", "mtl"}
    assert check_dataset(made).errors == ()
    table = open_dataset(made / "stills")
    assert isinstance(table, ImageTable) and check_dataset(made / "stills").errors == ()


def test_table_of_stills(made):
    with (made / "stills" / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["image", "expression", "subject", "split", "valence", "arousal", *ACTION_UNITS]
    assert len(rows) == 48 and Counter(row["expression"] for row in rows) == {n.lower(): 6 for n in EXPRESSIONS}
    splits = {}
    for row in rows:
        splits.setdefault(row["subject"], set()).add(row["split"])
        with Image.open(made / "stills" / row["image"]) as image:
            assert image.size == (112, 112) and image.mode == "RGB"
    assert Counter(next(iter(own)) for own in splits.values()) == {"train": 5, "validation": 1}
    assert all(len(own) == 1 for own in splits.values())


def test_all_subjects_differ():
    people = [video.video_identity(0, i) for i in range(60)] + [stills.subject_identity(0, i) for i in range(150)]
    shapes = {(p.half_width, p.chin, p.eye_distance, p.mouth_width, *p.skin.tolist()) for p in people}
    assert len(shapes) == len(people)


def test_parameters_are_recorded(made):
    record = json.loads((made / "synthetic.json").read_text())
    assert {name: record[name] for name in ("seed", "videos", "frames", "stills", "identities")} == {
        "seed": 0,
        "videos": 7,
        "frames": 192,
        "stills": 48,
        "identities": 6,
    }
    assert record["version"] >= 1


BANDS = {
    "AU1": (10, 44),
    "AU2": (10, 42),
    "AU4": (22, 46),
    "AU6": (27, 76),
    "AU7": (34, 56),
    "AU10": (58, 92),
    "AU12": (52, 92),
    "AU15": (72, 96),
    "AU23": (66, 94),
    "AU24": (70, 94),
    "AU25": (74, 96),
    "AU26": (62, 112),
}
"""Rows of the crop, eyes near 43 and mouth near 83, in which each action unit should move the picture."""


def pictures(person, scene):
    """[B, 3, 112, 112] display values, 0 to 1."""
    light = render_faces(person, scene, np.full((3, 1, 112, 112), 0.3, np.float32))
    return np.sqrt(np.clip(light, 0, 1)).swapaxes(0, 1)


@pytest.mark.parametrize("unit", ACTION_UNITS)
@pytest.mark.parametrize("subject", [1, 8])
def test_each_action_unit_moves_its_part(unit, subject):
    person = replace(stills.subject_identity(0, subject), hair="bald", glasses="none", beard=0.0, moustache=0.0)
    person = replace(person, chin=1.36, mouth_height=0.86, brow_height=0.27, nose_length=0.5)
    scene = neutral_scene(2)
    scene.action_units[1, ACTION_UNITS.index(unit)] = 1
    rest, moved = pictures(person, scene)
    change = np.abs(moved - rest).sum(axis=0)
    low, high = BANDS[unit]
    assert change[low:high].sum() > 0.9 * change.sum()
    assert (change > 0.1).sum() > 25


def test_two_halves_of_the_brow_move_apart():
    person = replace(stills.subject_identity(0, 1), hair="bald", glasses="none", age=0.0)
    scene = neutral_scene(3)
    scene.action_units[1, 0] = scene.action_units[2, 1] = 1
    rest, inner, outer = pictures(person, scene)
    change = np.stack([np.abs(moved - rest)[:, 12:36].sum(axis=(0, 1)) for moved in (inner, outer)])
    reach = np.abs(np.arange(112) - 55.5)
    medial, lateral = change[:, reach < 12].sum(axis=1), change[:, reach > 20].sum(axis=1)
    assert medial[0] / lateral[0] > 2 * medial[1] / lateral[1]


def test_labels_are_smooth_in_time(made):
    runs = []
    for path in (made / ANNOTATIONS).glob("EXPR*/*/*.txt"):
        labels = np.loadtxt(path, skiprows=1, dtype=int)
        labels = labels[labels >= 0]
        runs.append(len(labels) / (1 + np.count_nonzero(np.diff(labels))))
    assert 12 < np.mean(runs) < 60


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"videos": 3}, "videos is 3"),
        ({"frames": 5}, "frames is 5"),
        ({"seed": -1}, "seed is -1"),
        ({"stills": 5, "identities": 6}, "stills is 5"),
        ({"identities": 2}, "identities is 2"),
    ],
)
def test_numbers_too_small_raise(tmp_path, arguments, message):
    with pytest.raises(InputError, match=message):
        make(tmp_path / "set", **SMALL | arguments)
    assert not list(tmp_path.iterdir())


def test_non_empty_folder_is_rejected(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "mine.txt").write_text("keep")
    for write in (make, make_stills):
        with pytest.raises(InputError, match="not empty"):
            write(tmp_path / "set")
        with pytest.raises(InputError, match="is a file"):
            write(tmp_path / "set" / "mine.txt")
    assert contents(tmp_path) == {"set/mine.txt": b"keep"}


def test_failed_run_leaves_no_files(tmp_path):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "set", **SMALL, progress=stop)
    assert not list(tmp_path.iterdir())


@pytest.mark.benchmark
def test_rendering_speed(tmp_path):
    start = time.process_time()
    make(tmp_path / "set", videos=4, frames=300, stills=600, identities=20)
    assert 1800 / (time.process_time() - start) > 150
