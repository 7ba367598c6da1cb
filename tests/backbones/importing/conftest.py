from pathlib import Path

import pytest

from tests.backbones.importing.releases import Releases


@pytest.fixture(scope="session")
def releases(tmp_path_factory):
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if base.name.startswith("popen-") else base  # xdist gives each process a folder within it
    folder = Path(shared) / "releases"
    folder.mkdir(exist_ok=True)
    return Releases(folder)
