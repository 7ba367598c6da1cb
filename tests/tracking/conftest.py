import shutil

import pytest


@pytest.fixture
def store(empty_store, tmp_path):
    return shutil.copytree(empty_store, tmp_path / "store")
