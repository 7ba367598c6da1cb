import json
import subprocess
from pathlib import Path

import pytest

from harness.tracking.environment import environment

ROOT = Path(__file__).resolve().parents[2]


def git(folder, *args):
    subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *args],
        cwd=folder,
        check=True,
        capture_output=True,
    )


def committed(folder, *files):
    """A repository with these files in it; its commit."""
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("a = 1\n")
    git(folder, "init")
    git(folder, "add", *files)
    git(folder, "commit", "-m", "first")
    return head(folder)


def head(folder):
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None


def test_commit_and_dirty_flag_of_a_checkout(tmp_path):
    git(tmp_path, "init")
    assert environment(tmp_path)["git_commit"] is None
    (tmp_path / "code.py").write_text("a = 1\n")
    git(tmp_path, "add", "code.py")
    git(tmp_path, "commit", "-m", "first")
    clean = environment(tmp_path)
    assert (clean["git_commit"], clean["git_dirty"]) == (head(tmp_path), False)
    (tmp_path / "framelight-store").mkdir()
    (tmp_path / "framelight-store" / "mlflow.db").touch()
    assert environment(tmp_path)["git_dirty"] is False
    (tmp_path / "code.py").write_text("a = 2\n")
    assert environment(tmp_path)["git_dirty"] is True


@pytest.mark.parametrize(
    "file, dirty",
    [
        ("harness/new.py", True),
        ("harness/heads/new.py", True),
        ("backbones/new.py", True),
        ("experiments/new.py", True),
        ("new.py", False),
        ("harness/notes.txt", False),
        ("harness/ignored.py", False),
    ],
)
def test_python_file_that_no_commit_knows_makes_the_code_dirty(tmp_path, file, dirty):
    committed(tmp_path, "harness/code.py")
    (tmp_path / ".git" / "info" / "exclude").write_text("ignored.py\n")
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text("b = 1\n")
    assert environment(tmp_path)["git_dirty"] is dirty


def test_commit_is_that_of_the_code_wherever_it_is_called(tmp_path, monkeypatch):
    other = committed(tmp_path, "mine.py")
    here = environment()
    assert here["git_commit"] == head(ROOT) and "cwd_git_commit" not in here
    monkeypatch.chdir(tmp_path)
    there = environment()
    assert (there["git_commit"], there["git_dirty"]) == (here["git_commit"], here["git_dirty"])
    assert there["cwd_git_commit"] == other


def test_code_installed_inside_someone_s_checkout_has_no_commit(tmp_path, monkeypatch):
    """A virtual environment lies in a project's folder; the project's commit says nothing of the packages in it."""
    other, installed = committed(tmp_path, "mine.py"), tmp_path / ".venv" / "site-packages"
    (installed / "harness").mkdir(parents=True)
    (installed / "harness" / "code.py").write_text("a = 1\n")
    monkeypatch.chdir(tmp_path)
    found = environment(installed)
    assert found["git_commit"] is None and found["git_dirty"] is None and found["cwd_git_commit"] == other


def test_working_directory_that_is_missing_is_no_repository(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert "cwd_git_commit" not in environment()


def test_outside_a_checkout_and_in_a_folder_that_is_not_there(tmp_path):
    for folder in (tmp_path, tmp_path / "none"):
        found = environment(folder)
        assert found["git_commit"] is None and found["git_dirty"] is None


def test_machine_and_packages_are_named_in_json_types(tmp_path):
    found = environment(tmp_path)
    assert json.loads(json.dumps(found)) == found
    assert found["cores"] >= 1 and found["processor"] and found["python"].startswith("3.")
    assert {"numpy", "mlflow", "torch"} <= found["packages"].keys()
