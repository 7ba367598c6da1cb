import os
import time

import pytest

from harness.utils.files import atomic_write, atomic_write_dir, remove_stale_temp_files


def test_only_old_temporary_files_are_removed(tmp_path):
    def put(name, age, folder=False):
        path = tmp_path / name
        if folder:
            path.mkdir()
            (path / "half").write_text("x")
        else:
            path.write_text("x")
        os.utime(path, (time.time() - age,) * 2)

    put(".a.old.aside", 7200, folder=True)
    put(".b.old.aside", 7200)
    put(".a.new.aside", 60, folder=True)
    put(".b.new.aside", 60)
    put("a", 7200, folder=True)
    put("b.aside", 7200)
    put(".a.lock", 7200)
    remove_stale_temp_files(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {".a.new.aside", ".b.new.aside", "a", "b.aside", ".a.lock"}
    remove_stale_temp_files(tmp_path, older_than_s=30)
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b.aside", ".a.lock"}


def test_link_is_removed_but_not_its_target(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "store").mkdir()
    link = tmp_path / "store" / ".a.x.aside"
    link.symlink_to(tmp_path / "kept", target_is_directory=True)
    os.utime(link, (time.time() - 7200,) * 2, follow_symlinks=False)
    remove_stale_temp_files(tmp_path / "store")
    assert not link.is_symlink() and (tmp_path / "kept").is_dir()


def test_missing_folder_needs_no_cleanup(tmp_path):
    remove_stale_temp_files(tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("way", [atomic_write, atomic_write_dir])
def test_temporary_names_match_the_cleanup(way, tmp_path):
    with way(tmp_path / "entry") as aside:
        os.utime(aside, (time.time() - 7200,) * 2)
        remove_stale_temp_files(tmp_path)
        assert not aside.exists()
        (aside.mkdir if way is atomic_write_dir else aside.touch)()
    assert (tmp_path / "entry").exists()
