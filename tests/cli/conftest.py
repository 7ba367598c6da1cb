"""Fixture: a backbone that the command has trained once for all tests."""

import shutil

import pytest

from harness.cli import main
from tests.helpers.backbone_recipes import RECIPE
from tests.helpers.drawn_stills import draw
from tests.helpers.shared_builds import build_once, copy_of_command, run_here
from tests.helpers.short_measurement import short_measurement
from tests.helpers.video_files import film


@pytest.fixture(scope="session")
def table(tmp_path_factory):
    """An image table of 96 drawn stills."""
    return build_once(tmp_path_factory, "stills", lambda folder: draw(folder / "faces")) / "faces"


@pytest.fixture(scope="session")
def drawn(tmp_path_factory):
    """The recipe's file."""
    path = tmp_path_factory.mktemp("recipe") / "drawn.py"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="session")
def trained(table, drawn, tmp_path_factory):
    """A store in which the recipe was trained without interruption, and the output of the command."""
    return copy_of_command(tmp_path_factory, "trained", "train-backbone", drawn, "--data", table, run=run_here)


@pytest.fixture
def short_cost():
    """Exports measure their cost in less than a second."""
    with short_measurement():
        yield


@pytest.fixture
def copied(trained, tmp_path):
    """A copy of that store, to be changed."""
    shutil.copytree(trained[0], tmp_path / "store")
    return tmp_path / "store"


@pytest.fixture(scope="session")
def readers(finished, tmp_path_factory):
    """A copy of the store in which the small recipe has run: runs of two tasks on one backbone."""
    return shutil.copytree(finished[0], tmp_path_factory.mktemp("readers") / "store")


@pytest.fixture
def videos(tmp_path):
    """Two videos and one that is none."""
    folder = tmp_path / "videos"
    film(folder / "a.mp4", 4)
    film(folder / "b.mp4", 6)
    (folder / "c.mp4").write_text("<html>Sign in to download</html>")
    return folder


@pytest.fixture
def run(readers, tmp_path, capsys):
    """Predict; exit code, stdout and stderr."""

    def predict(*words, out=tmp_path / "out"):
        command = ["predict", *map(str, words), "--run", "best:expr", "--store", str(readers), "--crops"]
        code = main([*command, "--out", str(out)])
        return code, *capsys.readouterr()

    return predict
