"""A search that has run once, for all tests that look at it."""

import shutil

import pytest

from harness.cli import main
from harness.runner import apply_settings, find_recipe
from harness.runner.expansion import JobGrid
from harness.runner.preparation import prepare_inputs
from harness.utils.store import Store
from tests.helpers import small_run
from tests.helpers.search_recipes import RECIPE, arguments
from tests.helpers.shared_builds import build_once


@pytest.fixture(scope="session")
def recipe(tmp_path_factory):
    return small_run.write_recipe(tmp_path_factory.mktemp("recipe"), RECIPE)


@pytest.fixture(scope="session")
def searched(recipe, small_set, empty_store, tmp_path_factory):
    """A copy, for this process, of a store in which the search has run."""

    def search(folder):
        shutil.copytree(empty_store, folder / "store")
        assert main(arguments(recipe, small_set, folder / "store")) == 0

    built = build_once(tmp_path_factory, "searched", search)
    return shutil.copytree(built / "store", tmp_path_factory.mktemp("searched") / "store", symlinks=True)


@pytest.fixture(scope="session")
def expansion(recipe, small_set, searched):
    wanted = apply_settings(find_recipe(str(recipe)), ["search.trials=12"])
    return JobGrid(wanted, prepare_inputs(wanted, small_set, Store(searched)))
