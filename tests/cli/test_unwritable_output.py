"""A full disk, a folder that cannot be written and a closed pipe: messages, and what happens to the work."""

import json
import shutil
import subprocess

import pytest
import torch

import backbones
from harness.cli import main
from tests.cli.test_bad_input import QUICK, run, said
from tests.helpers import small_run


def test_store_that_cannot_be_written(capsys, recipe_file, small_set):
    message = said(capsys, "run", recipe_file, "--data", small_set, "--store", "/proc/framelight", code=1)
    assert "choose another store" in message


def test_full_disk_in_store(recipe_file, small_set, tmp_path):
    """A file-size limit stands for a full disk: the failing write is named, nothing half-written stays."""
    done = subprocess.run(
        ["bash", "-c", 'ulimit -f 8; exec "$@"', "bash", *small_run.command(*run(recipe_file, small_set, tmp_path))],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "framelight: " in done.stderr and "Traceback" not in done.stderr
    assert not list((tmp_path / "store").rglob("*.aside"))


def test_write_error_during_import_exits_with_1(capsys, tmp_path):
    torch.save(backbones.build("tiny_resnet").network.state_dict(), tmp_path / "weights.pt")
    (tmp_path / "store").mkdir()
    (tmp_path / "store/artifacts").write_text("in the way")
    command = ("backbones", "import", tmp_path / "weights.pt", "--name", "mine", "--like", "hsemotion")
    assert "cannot write" in said(capsys, *command, "--store", tmp_path / "store", code=1)


def test_full_device_message(finished):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            small_run.command("leaderboard", "--store", finished[0]), stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 1 and "the disk is full" in done.stderr and "defect" not in done.stderr


@pytest.mark.slow
def test_closed_pipe_does_not_stop_a_run(capsys, finished, recipe_file, small_set, tmp_path):
    shutil.copytree(finished[0] / "features", tmp_path / "store/features")
    arguments = run(recipe_file, small_set, tmp_path, *QUICK)
    subprocess.run(["bash", "-c", f"{' '.join(small_run.command(*arguments))} 2>&1 | true"], timeout=300)
    assert main(["leaderboard", "--store", str(tmp_path / "store"), "--format", "json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 3


def test_closed_pipe_does_not_stop_the_work(small_set, tmp_path):
    arguments = (
        "extract",
        "--data",
        small_set,
        "--backbone",
        "tiny_mobilenet@random",
        "--store",
        tmp_path,
        "--jobs",
        1,
    )
    done = subprocess.run(
        ["bash", "-c", f"({' '.join(small_run.command(*arguments))}; echo $? > {tmp_path}/code) 2>&1 | true"]
    )
    assert done.returncode == 0 and (tmp_path / "code").read_text() == "0\n"
    assert list(tmp_path.glob("features/*/entry.json"))
