import pytest

from tests.pretraining.drawing import draw


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("stills") / "table")
