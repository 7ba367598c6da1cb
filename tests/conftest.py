import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy and torch are imported: tests run side by side

import signal  # noqa: E402

import pytest  # noqa: E402

from tests.helpers import small_run  # noqa: E402
from tests.helpers.logs import captured_logs  # noqa: E402
from tests.helpers.mlflow_server import server  # noqa: E402, F401 (a fixture)


@pytest.fixture(scope="session", autouse=True)
def interrupts():
    """Heard here and by the processes that tests start: a shell's background jobs begin with them ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def logged():
    """What the project logs during a test, as commands print it."""
    with captured_logs() as messages:
        yield messages


@pytest.fixture(scope="session")
def small_set(tmp_path_factory):
    """Synthetic videos in the ABAW3 layout."""
    return small_run.make_set(tmp_path_factory.mktemp("data") / "small")


@pytest.fixture
def recipe_file(tmp_path):
    return small_run.write_recipe(tmp_path)


@pytest.fixture(scope="session")
def finished(small_set, tmp_path_factory):
    """A store in which the small recipe has run, and its output."""
    folder = tmp_path_factory.mktemp("finished")
    recipe = small_run.write_recipe(folder)
    done = small_run.framelight("run", recipe, "--data", small_set, "--store", folder / "store", "--jobs", 2)
    assert done.returncode == 0, done.stderr
    return folder / "store", done
