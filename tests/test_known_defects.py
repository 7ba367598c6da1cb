"""Defects of the nearest published code, each with a test that this project does not have it.

A test is named after the project and the defect; its docstring describes the defect.
"""

import os
import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest

import backbones
from harness import Grid, Recipe
from harness.data.dataset import Labels
from harness.data.registry import open_dataset
from harness.data.splits import labels_fingerprint
from harness.data.stratification import stratified_group_kfold, stratified_group_split
from harness.inference.submission import files
from harness.inference.submission.frame_counts import LineSources, count_lines
from harness.inference.submission.predictions import decode_predictions
from harness.inference.submission.rows import all_frames, read_image_list
from harness.jobs.frozen_selection import freeze_selection
from harness.jobs.labels import ReportedLabels
from harness.jobs.predictions import Predictions
from harness.jobs.replay import Replay
from harness.jobs.selection import PostprocessingChoice
from harness.leaderboard.row_keys import board_key
from harness.leaderboard.rows import leaderboard_rows
from harness.metrics import ccc, p_au
from harness.metrics.pooled_scores import score
from harness.metrics.scores import UndefinedMetricWarning
from harness.metrics.tasks import get_task, softmax
from harness.metrics.unit_statistics import compute_statistics
from harness.runner.expansion import JobGrid
from harness.runner.prepared_inputs import PreparedBackbone, PreparedInputs
from harness.smoothing.gaps import fill_gaps
from harness.smoothing.kernels import SmoothingParams
from harness.tracking.records import Record
from harness.utils.errors import FramelightError, InputError
from harness.utils.store import Store
from tests.helpers.data_folders import MTL_HEADER, small_abaw3, write
from tests.helpers.pooled_statistics import merge_shards
from tests.helpers.records import record

CHOSEN = (0.8, 0.8, 0.7, 0.5, 0.5, 0.5, 0.6, 0.8, 0.8, 0.8, 0.3, 0.7)


def outputs(name, count, seed=0):
    """Outputs [count, C] as a head of the task gives them."""
    width = get_task(name).width
    return get_task(name).activate(np.random.default_rng(seed).normal(size=(count, width))).astype(np.float32)


def targets(name, count, seed=1):
    random = np.random.default_rng(seed)
    made = {
        "expr": random.integers(0, 8, count),
        "va": random.uniform(-1, 1, (count, 2)).astype(np.float32),
        "au": random.integers(0, 2, (count, 12)).astype(np.int8),
    }
    return {output.name: made[output.name] for output in get_task(name).outputs}


def value(name, wanted, said):
    """The task's metric of decisions: expressions int [N], values [N, 2], action units [N, 12]."""
    columns = [np.eye(8)[said[o.name]] if o.name == "expr" else said[o.name] for o in get_task(name).outputs]
    counted = compute_statistics(name, np.concatenate(columns, axis=1), wanted, np.zeros(len(columns[0]), int), 1)
    return score(counted).metrics[get_task(name).metric]


def written_and_read(folder, name, shape, lines, found):
    folder.mkdir()
    files.write(folder, get_task(name), shape, lines, found)
    return files.read(folder, get_task(name), shape, lines)


def test_emotiefflib_gaps_are_interpolated_with_reversed_weights():
    """The later crop weighs most at the frame next to the earlier one: a gap runs backwards."""
    frames = np.array([1, 3, 8, 9, 20])
    ramp = np.stack([frames, 100 - 2 * frames], axis=1).astype(float)
    dense = np.arange(1, 21)
    np.testing.assert_allclose(fill_gaps(frames, ramp, 20), np.stack([dense, 100 - 2 * dense], axis=1))
    reversed_ = fill_gaps(np.array([3, 8]), np.array([[3.0], [8.0]]), 8, method="published")
    assert reversed_[3:7, 0].tolist() == [7, 6, 5, 4], "kept for parity, under its own name"


def test_emotiefflib_expressions_are_written_by_argmin(tmp_path):
    """The MTL file holds the least likely expression; read back and scored, the file must equal memory."""
    images = [f"video{v}/{frame:05d}.jpg" for v in (1, 2) for frame in range(1, 400, 2)] + ["video1/00001.jpg"]
    listed = read_image_list(write(tmp_path / "list.txt", MTL_HEADER, *images))
    probable = outputs("mtl", 400)[[*range(400), 0]]
    found = decode_predictions(get_task("mtl"), probable, SmoothingParams("none", 0, "linear", CHOSEN))
    assert (found["expr"] == probable[:, 2:10].argmax(axis=1)).all()
    said, wanted = written_and_read(tmp_path / "out", "mtl", "mtl", listed, found), targets("mtl", 401)
    assert value("mtl", wanted, said) == value("mtl", wanted, found)
    assert value("mtl", found, said) == pytest.approx(3), "against itself a file is perfect"


def film(path, frames):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.width = stream.height = 16
        for _ in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode(None))
    return path


def test_emotiefflib_frames_of_a_video_are_counted_one_short(tmp_path):
    """The organisers count one frame more than the video file says; a count that crops outrun is an error."""
    videos = {"video1": film(tmp_path / "video1.mp4", 12)}
    found = count_lines(
        ["video1_left", "annotated"], {"video1_left": 13, "annotated": 3}, LineSources({}, videos, {"annotated": 7})
    )
    assert (found["video1_left"].lines, found["annotated"].lines) == (13, 7)
    with pytest.raises(InputError, match="'video1': .*video1.mp4 has 12 frames.*last crop is frame 40"):
        count_lines(["video1"], {"video1": 40}, LineSources({}, videos, {}))


def test_emotiefflib_softmax_shifts_by_the_maximum_of_a_class_instead_of_a_row():
    logits = np.random.default_rng(0).choice([-1e4, 0.0, 1e4], (200, 8))
    found = softmax(logits)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert (found.argmax(axis=1) == logits.argmax(axis=1)).all()


def test_emotiefflib_ccc_mixes_sample_and_population_moments():
    truth, said = [Fraction(n, 8) for n in (-5, 1, 3, 8)], [Fraction(n, 8) for n in (-4, 2, 0, 7)]
    means = sum(truth) / 4, sum(said) / 4
    both = sum((t - means[0]) * (p - means[1]) for t, p in zip(truth, said)) / 4
    spread = sum(sum((x - mean) ** 2 for x in column) / 4 for column, mean in zip((truth, said), means))
    exact = 2 * both / (spread + (means[0] - means[1]) ** 2)
    assert ccc(np.array(truth, float), np.array(said, float)) == pytest.approx(float(exact), abs=1e-15)
    assert abs(float(exact) * 4 / 3 - float(exact)) > 0.1, "sample covariance would show"


def test_emotiefflib_frames_without_crop_are_dropped_silently():
    """Annotated frames without a detected face are dropped in silence."""
    kept = Predictions(("video1",), np.array([3]), np.array([1, 2, 4], np.int32), outputs("expr", 3))
    labels = Labels(
        ("video1",),
        np.zeros(5, np.int32),
        np.arange(1, 6, dtype=np.int32),
        ("video1",),
        np.zeros(5, np.int32),
        ("video1",),
        {"expr": np.array([0, 1, 2, -1, 4])},
    )
    dropped = Replay(get_task("expr"), kept, labels, temporal=True)
    filled = Replay(get_task("expr"), kept, labels, temporal=True, missing="filled")
    assert (dropped.annotated, dropped.scored, dropped.coverage) == (4, 2, 0.5)
    assert (filled.annotated, filled.scored, filled.coverage) == (4, 4, 0.5)
    assert dropped.statistics("none", 0, 0.5).arrays["expr"].sum() == 2
    assert filled.statistics("none", 0, 0.5).arrays["expr"].sum() == 4


@pytest.mark.parametrize("name", ["expr", "va", "au", "mtl"])
def test_prlab_means_of_shards_are_averaged_unweighted(name):
    """The running mean counts a batch before it is in, and devices of unequal share weigh alike."""
    said, wanted, unit = outputs(name, 500), targets(name, 500), np.random.default_rng(2).integers(0, 9, 500)
    whole = score(compute_statistics(name, said, wanted, unit, 9)).metrics
    for cut in (1, 30, 499):
        shards = [
            compute_statistics(name, said[part], {key: block[part] for key, block in wanted.items()}, unit[part], 9)
            for part in (slice(cut), slice(cut, None))
        ]
        assert score(merge_shards(shards)).metrics == pytest.approx(whole, abs=1e-12)
        assert score(merge_shards(shards[::-1])).metrics == pytest.approx(whole, abs=1e-12)


@pytest.mark.parametrize("name", ["expr", "va", "au"])
def test_prlab_files_cannot_be_written_and_thresholds_are_fixed(tmp_path, name):
    """Its writer joins an array like text, and thresholds of action units are fixed at 0.5."""
    lines, probable = all_frames(name, {"video1": 40, "video2_left": 2}), outputs(name, 42)
    found = decode_predictions(get_task(name), probable, SmoothingParams("mean", 7, "linear", CHOSEN))
    if name == "au":
        assert (found["au"] == (probable >= np.array(CHOSEN))).all()
    said, wanted = written_and_read(tmp_path / "out", name, "videos", lines, found), targets(name, 42)
    assert (said[name] == found[name]).all() and said[name].dtype == found[name].dtype
    assert value(name, wanted, said) == value(name, wanted, found)
    assert (tmp_path / "out" / "video1.txt").read_text().count("\n") == 41


def test_prlab_validation_scores_are_called_test():
    """A score without the name of its split cannot be kept, and rows of two splits never share a board."""
    known = {name: getattr(record(), name) for name in Record.__dataclass_fields__}
    with pytest.raises(TypeError, match="split"):
        Record(**{name: part for name, part in known.items() if name != "split"})
    listed = leaderboard_rows(
        [
            record("a" * 12, split="validation"),
            record("b" * 12, split="test", value=0.9),
            record("c" * 12, split="selection", kind="trial"),
        ]
    )
    assert {row.run_id[0]: row.split for row in listed} == {"a": "validation", "b": "test"}
    assert len({board_key(row) for row in listed}) == 2 and {row.rank for row in listed} == {1}


SPLIT = """
import random, numpy as np
from harness.data.stratification import stratified_group_kfold, stratified_group_split
random.seed({seed}); np.random.seed({seed})
names = [f"v{{n}}" for n in range(40)]
{shuffle}
presence = np.array([[int(name[1:]) % 3 == 0, int(name[1:]) % 11 == 0] for name in names], int)
chosen = stratified_group_split(names, names, 0.25, 7, presence)
fold = stratified_group_kfold(names, names, presence, 5, 7)
print(sorted(name for name, held in zip(names, chosen) if held), sorted(zip(names, fold.tolist())))
"""


def test_merbench_folds_are_shuffled_without_seed():
    """Every run sees other folds; a split must follow from the seed and the videos' names alone."""
    said = set()
    for seed, shuffle in ((0, ""), (1, "random.shuffle(names)"), (2, "names.reverse()")):
        done = subprocess.run(
            [sys.executable, "-c", SPLIT.format(seed=seed, shuffle=shuffle)],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
        )
        said.add(done.stdout)
    assert len(said) == 1
    names = [f"v{n}" for n in range(40)]
    assert (stratified_group_split(names, names, 0.25, 7) != stratified_group_split(names, names, 0.25, 8)).any()
    assert (stratified_group_kfold(names, names, None, 5, 7) != stratified_group_kfold(names, names, None, 5, 8)).any()


def sealed_job(tmp_path, protocol="held-out"):
    from harness import Protocol

    root, store = small_abaw3(tmp_path / "data"), tmp_path / "store"
    recipe = Recipe("small", (Grid("expr"),), ("mine",), protocol=Protocol(protocol))
    mine = PreparedBackbone("mine", "checkpoint mine", "hash", False, 1, "entry")
    labels = {"expr": labels_fingerprint(open_dataset(root), "expr")}
    return JobGrid(recipe, PreparedInputs(root, Store(store), "data", True, "images", labels, (mine,))).jobs()[-1]


def test_merbench_test_sets_are_scored_at_every_epoch(tmp_path):
    """Labels of the reported split cannot be read until the selection is on disk, and the selection cannot change."""
    job = sealed_job(tmp_path)
    choice, folder = PostprocessingChoice("mean", 3, None, 0.4, {}), tmp_path / "kept"
    kept = write(folder / "reported.npz", "predictions")
    frozen = freeze_selection(folder, job.job_id, 4, choice, kept)
    assert len(ReportedLabels(job).open(frozen)) == 10
    with pytest.raises(FramelightError, match="does not allow selection on the labels of the reported split"):
        ReportedLabels(job).open_for_selection()
    frozen.path.write_text(frozen.path.read_text().replace('"radius": 3', '"radius": 4'))
    with pytest.raises(FramelightError, match="cannot be read before"):
        ReportedLabels(job).open(frozen)
    frozen.path.unlink()
    with pytest.raises(FramelightError, match="cannot be read before"):
        ReportedLabels(job).open(frozen)


def test_emotiefflib_backbones_are_selected_by_substrings(tmp_path):
    """Class order and image size follow from "_b2_", "_7" or "mbf_" in a name; here from what the entry itself says."""
    network = backbones.build("tiny_resnet")
    order = ("Surprise", "Neutral", "Anger")
    network.set_classes(order)
    backbones.save_checkpoint(tmp_path / "mbf_b2_7", network, {})
    loaded = backbones.load("mbf_b2_7", tmp_path)
    assert loaded.score_labels == order and loaded.spec.preprocessing == network.spec.preprocessing
    assert loaded.spec.input_size == 64 and loaded.score_width == 3
    with pytest.raises(backbones.BackboneError, match="unknown backbone 'enet_b2_7'; did you mean mbf_b2_7"):
        backbones.load("enet_b2_7", tmp_path)


def test_py_feat_undefined_f1_is_a_silent_zero():
    """Neither labels nor predictions hold the action unit: that counts as 0, and is said."""
    wanted, said = np.ones((6, 12), np.int8), np.ones((6, 12), np.int8)
    wanted[:, 4] = said[:, 4] = 0
    with pytest.warns(UndefinedMetricWarning, match="AU7"):
        assert p_au(wanted, said) == pytest.approx(11 / 12)
    scored = score(compute_statistics("au", said.astype(float), {"au": wanted}, np.zeros(6, int), 1))
    assert scored.undefined == ("F1/AU7",) and scored.metrics["F1/AU7"] == 0
    said[0, 4] = 1
    assert score(compute_statistics("au", said.astype(float), {"au": wanted}, np.zeros(6, int), 1)).undefined == ()


@pytest.mark.parametrize("constant", [0.1, -1 / 3, 0.7])
def test_torchmetrics_ccc_of_a_constant_is_nan_or_one(constant):
    """A constant target has no correlation; rounding of its mean must not make one up."""
    truth, said = np.full(1001, constant), np.linspace(-1, 1, 1001)
    for pair in ((truth, said), (said, truth), (truth, truth)):
        with pytest.warns(UndefinedMetricWarning, match="CCC"):
            assert ccc(*pair) == 0
    both = np.stack([said, said], axis=1)
    wanted = {"va": np.stack([truth, said], axis=1).astype(np.float32)}
    scored = score(compute_statistics("va", both, wanted, np.arange(1001) % 3, 3))
    assert scored.undefined == ("CCC_V",) and scored.metrics["P_VA"] == pytest.approx(0.5)
