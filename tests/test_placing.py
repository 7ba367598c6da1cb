"""Folders for users: whole, and never over what is there unless told so."""

import pytest

from harness.errors import InputError
from harness.placing import placing, require_free


@pytest.fixture
def full(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    return out


def test_a_folder_with_something_in_it_is_refused_without_force(full, tmp_path):
    with pytest.raises(InputError, match="not empty.*--force"):
        require_free(full, False)
    require_free(full, True)
    require_free(tmp_path / "new", False)
    (tmp_path / "empty").mkdir()
    require_free(tmp_path / "empty", False)


def test_a_file_is_never_replaced(full):
    with pytest.raises(InputError, match="is a file"):
        require_free(full / "mine.txt", True)


def test_what_is_read_is_never_replaced(full):
    with pytest.raises(InputError, match="which is read"):
        require_free(full, True, full / "mine.txt")
    with pytest.raises(InputError, match="which is read"):
        require_free(full, True, full)


def test_the_new_folder_takes_the_place_of_the_old_and_nothing_stays_aside(full, tmp_path):
    with placing(full) as aside:
        (aside / "new.txt").write_text("new")
        assert (full / "mine.txt").is_file()
    assert [path.name for path in full.iterdir()] == ["new.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_failure_leaves_the_old_folder(full, tmp_path):
    with pytest.raises(RuntimeError), placing(full) as aside:
        (aside / "new.txt").write_text("new")
        raise RuntimeError
    assert [path.name for path in full.iterdir()] == ["mine.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
