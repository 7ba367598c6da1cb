"""Stores, videos and commands that several test files of commands share."""

import shutil

import pytest

from harness.cli import main
from harness.leaderboard.finished_run import find_finished_run
from harness.tracking import tracked_records
from harness.utils.store import Store
from tests.helpers import small_run
from tests.helpers.backbone_recipes import RECIPE as BACKBONE_RECIPE
from tests.helpers.drawn_stills import draw
from tests.helpers.shared_builds import build_once, copy_of_command, run_here
from tests.helpers.short_measurement import short_measurement
from tests.helpers.submission_recipes import FOLDED, PUBLISHED, RECIPE
from tests.helpers.video_files import film


@pytest.fixture(scope="session")
def table(tmp_path_factory):
    """An image table of 96 drawn stills."""
    return build_once(tmp_path_factory, "stills", lambda folder: draw(folder / "faces")) / "faces"


@pytest.fixture(scope="session")
def drawn(tmp_path_factory):
    """The recipe's file."""
    path = tmp_path_factory.mktemp("recipe") / "drawn.py"
    path.write_text(BACKBONE_RECIPE)
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


@pytest.fixture(scope="session")
def exported(finished, tmp_path_factory):
    """The export of the best run of expressions, float32 alone, with the embedding; its store is beside it."""

    def build(folder):
        store = shutil.copytree(finished[0], folder / "store")
        command = ("export", "best:expr", "--store", store, "--out", folder / "out", "--no-model")
        run_here(*command, "--precision", "float32", "--embedding").check_returncode()

    return build_once(tmp_path_factory, "exported", build) / "out"


@pytest.fixture(scope="session")
def best(exported):
    """The run that was exported."""
    store = Store(exported.parent / "store")
    return find_finished_run(tracked_records(store), "best:expr", None, store)


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


@pytest.fixture(scope="session")
def store(small_set, empty_store, tmp_path_factory):
    """A store in which the four challenges have run; others under the published protocol, and by folds and filled."""

    def build(folder):
        shutil.copytree(empty_store, folder / "store")
        for text in (RECIPE, PUBLISHED, FOLDED):
            recipe = small_run.write_recipe(folder, text)
            run_here("run", recipe, "--data", small_set, "--store", folder / "store", "--jobs", 1).check_returncode()

    original = build_once(tmp_path_factory, "challenges", build)
    return shutil.copytree(original / "store", tmp_path_factory.mktemp("challenges") / "store")


@pytest.fixture
def data(small_set, tmp_path):
    """A copy of the data, to be changed; its crops are the same, so its features are in the store."""
    return shutil.copytree(small_set, tmp_path / "data")


@pytest.fixture
def submit(store, small_set, tmp_path, capsys):
    """Run the command and return exit code, stdout and stderr."""

    def run(which, *arguments, data=small_set, out="out", store=store):
        places = ["--data", data, "--store", store, "--out", tmp_path / out]
        code = main(["submit", which, *map(str, [*places, *arguments])])
        return code, *capsys.readouterr()

    return run
