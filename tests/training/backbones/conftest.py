import pytest

from tests.helpers.drawn_stills import draw


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("stills") / "table")
