"""Paths of users: homes, empty variables, and names at the limit of file systems."""

import ntpath
import os
import sys
from pathlib import Path

import pytest

from backbones.temp_names import cut_to_bytes, temp_prefix
from harness.cli import main
from harness.cli.parser import build_parser
from harness.features.store import FeatureStore
from harness.inference.chunks import partial_folder
from harness.utils.errors import InputError
from harness.utils.files import atomic_write_dir, write_text
from harness.utils.locks import entry_lock
from harness.utils.names import bounded_name
from harness.utils.output_dir import replace_output_dir
from harness.utils.paths import expand_home
from harness.utils.store import Store

LONG = ["永" * 85, "\U0001f600" * 63 + "abc", "a" * 255, "\udce9" * 255, "e\u0301" * 85]


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FRAMELIGHT_STORE", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


def test_homes_are_expanded_as_in_a_shell(home):
    assert expand_home("~/s") == home / "s" and expand_home("~") == home
    assert expand_home("a/~/s") == Path("a/~/s") and expand_home("/~") == Path("/~")
    assert expand_home("~no-such-user/s") == Path("~no-such-user/s")
    assert expand_home("~root/s") == Path(os.path.expanduser("~root/s"))


def test_user_without_a_home(monkeypatch):
    import pwd

    monkeypatch.setenv("HOME", "")
    assert expand_home("~/s") == Path(pwd.getpwuid(os.getuid()).pw_dir) / "s"

    def unknown(user):
        raise KeyError(user)

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for home in (None, "/tmp/framelight-home-x"):  # the second is given to libraries, and removed at the end
        monkeypatch.setenv("HOME", home) if home else monkeypatch.delenv("HOME", raising=False)
        with pytest.raises(InputError, match="set HOME"):
            expand_home("~/s")
    monkeypatch.delenv("HOME")
    monkeypatch.setenv("FRAMELIGHT_STORE", "~/s")
    assert main(["leaderboard"]) == 2


@pytest.mark.parametrize("path", ["~/data", "~", "~\\data"])
def test_home_on_windows(monkeypatch, path):
    monkeypatch.setitem(sys.modules, "pwd", None)
    monkeypatch.setattr(os.path, "expanduser", ntpath.expanduser)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setenv("USERPROFILE", r"C:\Users\me")
    assert expand_home(path) == Path(r"C:\Users\me" + path[1:])
    for name in ("USERPROFILE", "HOMEPATH"):
        monkeypatch.delenv(name, raising=False)
    if "\\" not in path:
        with pytest.raises(InputError, match="set HOME"):
            expand_home(path)


@pytest.mark.parametrize(
    "value, root", [("", "framelight-store"), (" \t", "framelight-store"), ("~/s", "{home}/s"), ("s", "s")]
)
def test_store_of_the_environment(home, monkeypatch, value, root):
    monkeypatch.setenv("FRAMELIGHT_STORE", value)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", value if value.isspace() else "")
    root = Path(root.format(home=home))
    assert Store.default().root == root and Store.default().tracking_uri is None
    assert build_parser().parse_args(["leaderboard"]).store == root


def test_paths_after_an_equals_sign(home):
    arguments = build_parser().parse_args(["extract", "--backbone", "b", "--data=~/d", "--store=~/s"])
    assert (arguments.data, arguments.store) == (home / "d", home / "s")
    assert Store("~/s").root == home / "s"
    assert main(["data", "check", "~/none"]) == 2 and not list(home.iterdir())


@pytest.mark.parametrize("option", ["--store=", "--out="])
def test_empty_paths_are_refused(home, option, capsys):
    with pytest.raises(SystemExit) as raised:
        main(["leaderboard", option])
    assert raised.value.code == 2 and "the text is empty" in capsys.readouterr().err


@pytest.mark.parametrize("name", LONG, ids=["cjk", "emoji", "ascii", "not-utf-8", "combining"])
def test_longest_names_can_be_written(tmp_path, name):
    assert len(os.fsencode(name)) == 255
    write_text(tmp_path / "files" / name, "x")
    with atomic_write_dir(tmp_path / "folders" / name) as temp_dir:
        (temp_dir / "a").touch()
    with replace_output_dir(tmp_path / "folders" / name) as temp_dir:
        (temp_dir / "b").touch()
    with entry_lock(tmp_path / "folders" / name), entry_lock(partial_folder(tmp_path / name) / "pieces"):
        pass
    assert [path.name for path in (tmp_path / "folders" / name).iterdir()] == ["b"]
    assert FeatureStore(tmp_path).sequence_path("0" * 16, name).name == name


def test_names_are_cut_between_characters_and_stay_different():
    for limit in range(1, 9):
        assert len(cut_to_bytes("aé永\U0001f600", limit).encode()) <= limit
    assert cut_to_bytes("é永", 4) == "é" and temp_prefix("a.txt") == ".a.txt."
    first, second = (bounded_name("永" * 84 + end, ".", ".lock") for end in "ab")
    assert first != second and len(first.encode()) <= 255 and first.endswith(".lock")
    assert bounded_name("a", ".", ".lock") == ".a.lock"
