import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.utils import home_folder
from harness.utils.home_folder import provide_home


@pytest.fixture
def home(monkeypatch, tmp_path):
    """The home folder; the folders of matplotlib are below it."""
    for name in ("MPLCONFIGDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    home_folder._temporary_folder.cache_clear()
    yield tmp_path / "home"
    home_folder._temporary_folder.cache_clear()


def test_writable_home_is_used(home):
    home.mkdir()
    provide_home()
    assert os.environ["HOME"] == str(home) and not os.environ["MPLCONFIGDIR"] and not list(home.iterdir())


@pytest.mark.parametrize("path", ["/proc/self/nonexistent", "/dev/null"])
def test_home_that_cannot_be_written_is_left_but_not_used_by_matplotlib(home, monkeypatch, path):
    monkeypatch.setattr(home_folder.os, "access", lambda path, mode: False)
    monkeypatch.setenv("HOME", path)
    provide_home()
    assert os.environ["HOME"] == path and Path(os.environ["MPLCONFIGDIR"]).is_dir()


def test_folder_of_the_user_for_matplotlib_is_kept(home, monkeypatch):
    monkeypatch.setattr(home_folder.os, "access", lambda path, mode: False)
    monkeypatch.setenv("MPLCONFIGDIR", "/mine")
    provide_home()
    assert os.environ["MPLCONFIGDIR"] == "/mine"


def test_without_temporary_folders_nothing_is_changed(home, monkeypatch):
    def refuse(**_options):
        raise FileNotFoundError("no usable temporary directory")

    monkeypatch.setattr(home_folder.os, "access", lambda path, mode: False)
    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    provide_home()
    assert not os.environ["MPLCONFIGDIR"]


@pytest.mark.parametrize("platform, folders", [("linux", {".config", ".cache"}), ("darwin", {""}), ("win32", {""})])
def test_folders_are_those_of_matplotlib(home, monkeypatch, platform, folders):
    monkeypatch.setattr(sys, "platform", platform)
    assert {path.parent.name for path in home_folder._matplotlib_folders(Path("/"))} == folders


def test_user_id_without_a_home_has_one_while_the_process_runs():
    code = (
        "import os, pwd\n"
        "def unknown(uid): raise KeyError(uid)\n"
        "pwd.getpwuid = unknown; del os.environ['HOME']\n"
        "from harness.utils.process_environment import prepare_process; prepare_process()\n"
        "import pathlib; print(pathlib.Path.home(), pathlib.Path.home().is_dir())\n"
        "from harness.utils.paths import expand_home\n"
        "expand_home('~/store')  # which would be removed with the folder\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    folder, existed = done.stdout.split()
    assert existed == "True" and not Path(folder).exists()
    assert "InputError: ~/store: this user has no home folder; set HOME" in done.stderr
