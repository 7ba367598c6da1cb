import shutil

import pytest

from harness.tracking import open_tracker
from harness.utils.store import Store


@pytest.fixture(scope="session")
def fresh(tmp_path_factory):
    """A store with an empty database to copy, because creating one takes more than a second."""
    store = tmp_path_factory.mktemp("fresh") / "store"
    open_tracker(Store(store))
    return store


@pytest.fixture
def store(fresh, tmp_path):
    (tmp_path / "store").mkdir()
    shutil.copy(fresh / "mlflow.db", tmp_path / "store" / "mlflow.db")
    return tmp_path / "store"
