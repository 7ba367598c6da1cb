"""A resumed fit equals an uninterrupted one bit for bit."""

import signal
import subprocess
import sys

import pytest
import torch

from harness.training import checkpoints
from harness.training.fit import Selection
from harness.utils.errors import FramelightError
from tests.helpers.killed_fit import EVERYTHING
from tests.helpers.small_fits import BY_ACCURACY, assert_same, batches, fitted
from tests.training.test_sam import half


class Stopped(Exception):
    pass


def stopping(after: int, keep: str = "best") -> Selection:
    """Ends the process when epoch `after + 1` is reported, so that `after` epochs are in the checkpoint."""

    def told(epoch: int, value: float) -> bool:
        if epoch == after + 1:
            raise Stopped
        return False

    return Selection(BY_ACCURACY.batches, BY_ACCURACY.score, keep, told)


CASES = {
    "plain": ({}, {}),
    "everything": (EVERYTHING, {}),
    "bfloat16": (EVERYTHING, {"precision": "bf16-mixed"}),
    "frozen": ({"frozen": True, "average": 0.9}, {}),
    "constant": ({"schedule": "constant", "learning_rate": 0.3}, {"accumulate_grad_batches": 2}),
}


@pytest.mark.parametrize("case", CASES)
def test_resumed_fit_equals_an_uninterrupted_one(case, tmp_path):
    how, trainer = CASES[case]
    path = tmp_path / "last.ckpt"
    for after in (1, 2):
        with pytest.raises(Stopped):
            fitted(trainer, path, selection=stopping(after), **how)
    assert_same(fitted(trainer, path, **how), fitted(trainer, **how))
    assert [file.name for file in tmp_path.iterdir()] == ["last.ckpt"]


def test_grad_scaler_is_resumed(tmp_path):
    path = tmp_path / "last.ckpt"
    with pytest.raises(Stopped):
        fitted(half(), path, selection=stopping(1), **EVERYTHING)
    assert torch.load(path, weights_only=True)["MixedPrecision"]["_growth_tracker"] > 0
    assert_same(fitted(half(), path, **EVERYTHING), fitted(half(), **EVERYTHING))


@pytest.mark.training
def test_best_epoch_before_the_interruption(tmp_path):
    """At so high a rate the accuracy goes up and down; of several seeds one is at its best before epoch 4."""
    for seed in range(20):
        how = {"learning_rate": 1.0, "schedule": "constant", "epochs": 5, "seed": seed}
        whole = fitted(**how)
        if whole.epoch < 4:
            break
    assert whole.epoch < 4
    with pytest.raises(Stopped):
        fitted(None, tmp_path / "last.ckpt", selection=stopping(3), **how)
    assert_same(fitted(None, tmp_path / "last.ckpt", **how), whole)


@pytest.mark.slow
def test_killed_process_is_resumed(tmp_path):
    path = tmp_path / "last.ckpt"
    killed = subprocess.run([sys.executable, "-m", "tests.helpers.killed_fit", path, "3"], timeout=600)
    assert killed.returncode == -signal.SIGKILL
    assert len(torch.load(path, weights_only=True)[checkpoints.CHECKPOINT_KEY]["fitted"]["history"]) == 2
    assert_same(fitted(None, path, **EVERYTHING), fitted(**EVERYTHING))


def test_finished_fit_is_not_fitted_again(tmp_path):
    done = fitted(None, tmp_path / "last.ckpt")

    def never(epoch, part):
        raise AssertionError("drawn from")

    assert_same(fitted(None, tmp_path / "last.ckpt", draw=never), done)


def test_fit_stopped_is_not_resumed(tmp_path):
    selection = Selection(BY_ACCURACY.batches, BY_ACCURACY.score, on_epoch=lambda epoch, value: epoch == 2)
    done = fitted(None, tmp_path / "last.ckpt", selection=selection)
    assert done.stopped and len(done.history) == 2
    assert_same(fitted(None, tmp_path / "last.ckpt"), done)


def test_each_epoch_is_drawn_once(tmp_path):
    drawn = []

    def counting(epoch, part):
        drawn.append(epoch)
        return batches(epoch, part)

    with pytest.raises(Stopped):
        fitted(None, tmp_path / "last.ckpt", draw=counting, selection=stopping(1))
    assert drawn == [0, 1]
    fitted(None, tmp_path / "last.ckpt", draw=counting)
    assert drawn == [0, 1, 1, 2]


@pytest.mark.parametrize(
    "damage",
    [lambda whole: whole[: len(whole) // 2], lambda whole: b"", lambda whole: b"\x80\x04N."],
    ids=["cut", "empty", "not one"],
)
def test_damaged_checkpoint_is_named(damage, tmp_path):
    path = tmp_path / "last.ckpt"
    with pytest.raises(Stopped):
        fitted(None, path, selection=stopping(1))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(
        FramelightError, match=r"last\.ckpt is not a complete checkpoint \(.*\); remove it to train from"
    ):
        fitted(None, path)


def test_checkpoint_of_another_fit_raises(tmp_path):
    path = tmp_path / "last.ckpt"
    with pytest.raises(Stopped):
        fitted(None, path, selection=stopping(1))
    with pytest.raises(FramelightError, match="was trained with epochs 3, not 4; remove it"):
        fitted(None, path, epochs=4)
    with pytest.raises(
        FramelightError,
        match=r"belongs to a different model: the shape of backbone.network.body.0.bias is missing in the",
    ):
        fitted(None, path, norm=False)


def test_checkpoint_that_runs_code_is_not_run(tmp_path):
    path, trap = tmp_path / "last.ckpt", tmp_path / "trap"

    class Evil:
        def __reduce__(self):
            return open, (str(trap), "w")

    torch.save({"state_dict": {}, checkpoints.CHECKPOINT_KEY: Evil()}, path)
    with pytest.raises(FramelightError, match="is not a complete checkpoint"):
        fitted(None, path)
    assert not trap.exists()
