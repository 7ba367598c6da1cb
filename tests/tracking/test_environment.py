import json
import subprocess

from harness.tracking.environment import environment


def git(folder, *args):
    subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *args], cwd=folder, check=True,
                   capture_output=True)


def test_commit_and_dirty_flag_of_a_checkout(tmp_path):
    git(tmp_path, "init")
    assert environment(tmp_path)["git_commit"] is None
    (tmp_path / "code.py").write_text("a = 1\n")
    git(tmp_path, "add", "code.py")
    git(tmp_path, "commit", "-m", "first")
    clean = environment(tmp_path)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=tmp_path, capture_output=True, text=True).stdout.strip()
    assert (clean["git_commit"], clean["git_dirty"]) == (head, False)
    (tmp_path / "framelight-store").mkdir()
    (tmp_path / "framelight-store" / "mlflow.db").touch()
    assert environment(tmp_path)["git_dirty"] is False
    (tmp_path / "code.py").write_text("a = 2\n")
    assert environment(tmp_path)["git_dirty"] is True


def test_outside_a_checkout_and_in_a_folder_that_is_not_there(tmp_path):
    for folder in (tmp_path, tmp_path / "none"):
        found = environment(folder)
        assert found["git_commit"] is None and found["git_dirty"] is None


def test_machine_and_packages_are_named_in_json_types(tmp_path):
    found = environment(tmp_path)
    assert json.loads(json.dumps(found)) == found
    assert found["cores"] >= 1 and found["processor"] and found["python"].startswith("3.")
    assert {"numpy", "mlflow", "torch"} <= found["packages"].keys()
