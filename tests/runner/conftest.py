"""A search that has run once, for all tests that look at it."""

import shutil

import pytest

from harness.cli import main
from harness.runner import apply_settings, find_recipe
from harness.runner.expansion import JobGrid
from harness.runner.preparation import prepare_inputs
from harness.tracking import open_tracker
from harness.utils.store import Store
from tests.helpers import small_run
from tests.helpers.search_recipes import RECIPE, arguments


@pytest.fixture(scope="session")
def recipe(tmp_path_factory):
    return small_run.write_recipe(tmp_path_factory.mktemp("recipe"), RECIPE)


@pytest.fixture(scope="session")
def empty(tmp_path_factory):
    """A store with a tracking database alone, which takes MLflow seconds to make."""
    store = tmp_path_factory.mktemp("empty") / "store"
    store.mkdir()
    open_tracker(Store(store))
    return store


@pytest.fixture(scope="session")
def searched(recipe, small_set, empty, tmp_path_factory):
    store = shutil.copytree(empty, tmp_path_factory.mktemp("searched") / "store")
    assert main(arguments(recipe, small_set, store)) == 0
    return store


@pytest.fixture(scope="session")
def expansion(recipe, small_set, searched):
    wanted = apply_settings(find_recipe(str(recipe)), ["search.trials=12"])
    return JobGrid(wanted, prepare_inputs(wanted, small_set, Store(searched)))
