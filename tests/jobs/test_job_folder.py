"""Names of the files of a job, and their round trip."""

import numpy as np
import pytest

from harness.jobs import job_statistics
from harness.jobs.job_folder import NETWORK_SUFFIXES, JobFolder
from harness.jobs.predictions import Predictions
from harness.metrics.unit_statistics import SufficientStatistics
from harness.training.heads import trained_head
from harness.training.heads.config import HeadConfig
from harness.training.heads.trained_head import TrainedHead
from tests.helpers.records import record

NAMES = {
    "record": "record.json",
    "choice": "choice.json",
    "training": "training.json",
    "selection": "selection.npz",
    "reported": "reported.npz",
    "statistics": "statistics.npz",
    "pictures": "pictures",
}


@pytest.mark.parametrize("name", NAMES)
def test_files_keep_their_names(tmp_path, name):
    assert getattr(JobFolder(tmp_path), name) == tmp_path / NAMES[name]


def test_files_round_trip(tmp_path):
    folder, outputs = JobFolder(tmp_path), np.arange(8, dtype=np.float32).reshape(2, 4)
    assert not folder.has_record()
    folder.write_record(record())
    assert folder.has_record() and folder.read_record() == record()
    folder.write_choice({"job": "a-s0", "radius": 3})
    assert folder.read_choice() == {"job": "a-s0", "radius": 3}
    selection, reported = (
        Predictions(("video",), np.array([2]), np.array([1, 2], np.int32), part) for part in (outputs, -outputs)
    )
    folder.write_training(selection, reported, {"epoch": 3})
    assert folder.read_training() == {"epoch": 3}
    assert (Predictions.load(folder.selection).outputs == outputs).all()
    assert (Predictions.load(folder.reported).outputs == -outputs).all()


def test_model_is_its_networks_and_the_summary(tmp_path):
    for name in (*NAMES.values(), "head_va.json", "head_va.safetensors", "head_au.json"):
        (tmp_path / name).touch()
    names = [path.name for path in JobFolder(tmp_path).model]
    assert names == ["head_au.json", "head_va.json", "head_va.safetensors", "training.json"]


@pytest.mark.parametrize("output", ["", "va"])
def test_networks_are_written_under_the_names_of_the_folder(tmp_path, output):
    config = HeadConfig("logistic_regression", hidden=0)
    state = {"weight": np.zeros((2, 3), np.float32)}
    name = JobFolder.network_name(output)
    TrainedHead(state, config, "va", 3, 1, [], 0.0).save(tmp_path, name)
    written = sorted(tmp_path.iterdir())
    assert JobFolder(tmp_path).networks == written == [tmp_path / f"{name}{suffix}" for suffix in NETWORK_SUFFIXES]
    assert JobFolder.network_name() == trained_head.DEFAULT_NAME


def test_statistics_come_back_with_their_units_in_any_order(tmp_path):
    folder, counts = JobFolder(tmp_path), np.arange(3 * 64).reshape(3, 8, 8)
    folder.write_statistics(("a", "b", "c"), SufficientStatistics("expr", {"expr": counts}))
    units, statistics = job_statistics.load(folder.statistics)
    assert units == ("a", "b", "c") and (statistics.arrays["expr"] == counts).all()
    turned = job_statistics.reorder(units, statistics, ("c", "a", "b"))
    assert turned.task == "expr" and (turned.arrays["expr"] == counts[[2, 0, 1]]).all()
