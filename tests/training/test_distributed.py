"""Fits on two processes of one machine."""

import os
import subprocess
import sys

import pytest
import torch

from harness.training.fit import FitResult
from tests.helpers.small_fits import assert_near, assert_same, fitted

pytestmark = pytest.mark.slow


def several(folder, strategy, *more):
    folder.mkdir(exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if not name.endswith(("_RANK", "WORLD_SIZE"))}
    return subprocess.run(
        [sys.executable, "-m", "tests.helpers.two_process_fit", folder, strategy, *more],
        timeout=300,
        env={**environment, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )


def results(folder, rank):
    return [FitResult(**saved) for saved in torch.load(folder / f"results-{rank}.pt", weights_only=True)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("several") / "ddp"
    done = several(folder, "ddp")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return folder


def test_two_processes_follow_the_curve_of_one(whole):
    shared, alone = results(whole, 0)[0], fitted(norm=False, dropout=0.0, epochs=4)
    assert [entry["loss"] for entry in shared.history] == pytest.approx(
        [entry["loss"] for entry in alone.history], rel=1e-4
    )
    assert [(e["epoch"], e["rate"], e["value"]) for e in shared.history] == [
        (e["epoch"], e["rate"], e["value"]) for e in alone.history
    ]
    assert_near(shared, alone, 1e-4)


def test_every_process_ends_with_the_same_weights_statistics_and_values(whole):
    for first, second in zip(results(whole, 0), results(whole, 1)):
        assert_same(first, second)


def test_only_rank_zero_is_notified(whole):
    assert (whole / "told-0").read_text() == "1\n2\n3\n4\n" and not (whole / "told-1").exists()


def test_resumed_processes_end_identically(whole, tmp_path):
    assert several(tmp_path, "ddp", "3").returncode != 0
    assert (tmp_path / "told-0").read_text() == "1\n2\n3\n" and not (tmp_path / "results-0.pt").exists()
    assert several(tmp_path, "ddp").returncode == 0
    for rank in (0, 1):
        assert_same(results(tmp_path, rank)[1], results(whole, rank)[1])


def test_batches_that_cannot_be_shared_equally_raise(tmp_path):
    done = several(tmp_path, "ddp", "0", "15")
    assert done.returncode != 0 and "received [26, 22] rows in an epoch; choose a batch size that is a" in done.stderr


def test_spawned_processes_return_their_result(whole, tmp_path):
    assert several(tmp_path, "ddp_spawn").returncode == 0
    for spawned, first in zip(results(tmp_path, 0), results(whole, 0)):
        assert_same(spawned, first)
