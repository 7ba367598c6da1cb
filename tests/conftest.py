import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy and torch are imported: tests run side by side
for _name in ("COLUMNS", "LINES"):  # readline, which pytest imports, sets them for the processes that tests start
    os.environ.pop(_name, None)
    os.unsetenv(_name)

import signal  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

import hypothesis  # noqa: E402
import pytest  # noqa: E402

from tests.helpers import small_run  # noqa: E402
from tests.helpers.logs import captured_logs  # noqa: E402
from tests.helpers.mlflow_server import server  # noqa: E402, F401 (a fixture)
from tests.helpers.shared_builds import build_once, copy_of_command, run_here  # noqa: E402

hypothesis.settings.register_profile(
    "any_load", deadline=None, max_examples=50, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any_load")

HERE = Path(__file__).parent
LONGEST = (
    "training/backbones/test_resuming.py",
    "test_public_surface.py",
    "backbones/importing/test_published.py",
    "cli/test_run.py",
    "cli/test_interruption.py",
    "cli/test_bad_input.py",
    "cli/test_export.py",
    "cli/test_train_backbone.py",
    "jobs/test_reported_labels_recipes.py",
    "jobs/test_train_group.py",
    "runner/test_search.py",
    "cli/test_finished_output.py",
    "runner/test_preparation.py",
    "runner/test_search_resumed.py",
    "export/registry/test_log_model.py",
)
"""Files of more than ten seconds, which run first; no two neighbors begin with the same shared store."""


def pytest_configure(config):
    """Keep pytest-xdist from running files with few tests last: those that start processes are among them."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items):
    """Run the longest files first, so that no process is left with one at the end."""
    paths = {HERE / name: place for place, name in enumerate(LONGEST)}
    assert all(path.is_file() for path in paths), "LONGEST in tests/conftest.py names a file that does not exist"
    items.sort(key=lambda item: paths.get(item.path, len(paths)))


@pytest.fixture(scope="session", autouse=True)
def interrupts():
    """Heard here and by the processes that tests start: a shell's background jobs begin with them ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def migrated(tmp_path_factory):
    """MLflow's migrations of a new database run once for all test processes; later stores get its bytes."""
    client = sys.modules.get("harness.tracking.client")
    if client is None:  # these tests need no MLflow
        yield
        return
    migrate = client.migrate
    built = build_once(tmp_path_factory, "migrated", lambda folder: migrate(folder / "mlflow.db"))
    content = (built / "mlflow.db").read_bytes()  # tests create databases as users who may not read the file
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "migrate", lambda database: database.write_bytes(content))
        yield


@pytest.fixture
def logged():
    """What the project logs during a test, as commands print it."""
    with captured_logs() as messages:
        yield messages


@pytest.fixture(scope="session")
def small_set(tmp_path_factory):
    """Synthetic videos in the ABAW3 layout, shared by all test processes; do not change it."""
    return build_once(tmp_path_factory, "data", lambda folder: small_run.make_set(folder / "small")) / "small"


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    """A store with an empty database to copy, because creating one takes more than a second."""
    from harness.tracking import open_tracker
    from harness.utils.store import Store

    return build_once(tmp_path_factory, "empty", lambda folder: open_tracker(Store(folder / "store"))) / "store"


@pytest.fixture
def recipe_file(tmp_path):
    return small_run.write_recipe(tmp_path)


@pytest.fixture(scope="session")
def finished(small_set, tmp_path_factory):
    """A store in which the small recipe has run with two workers, and its output."""
    recipe = small_run.write_recipe(tmp_path_factory.mktemp("recipe"))
    command = ("run", recipe, "--data", small_set, "--jobs", 2)
    return copy_of_command(tmp_path_factory, "finished", *command, run=run_here)
