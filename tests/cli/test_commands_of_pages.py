"""The commands of the pages that run in seconds, on a store with finished runs."""

import json
import shutil

import pytest

from harness.cli import main
from tests.helpers.pages import PAGES, bash_commands


def quick_commands():
    """Each command once; exports are needed for `--cost`, which has tests in another file."""
    found = {
        tuple(words): words
        for page in PAGES
        for words in bash_commands(page)
        if words[:2] in (["framelight", "leaderboard"], ["framelight", "compare"])
        or words == ["framelight", "backbones"]
        or words[:4] == ["framelight", "data", "check", "DIR"]
    }
    return [pytest.param(words, id=" ".join(words)) for words in found.values() if "--cost" not in words]


@pytest.fixture(scope="module")
def store(finished, tmp_path_factory):
    """A copy, because `leaderboard --causal` adds to the store."""
    return shutil.copytree(finished[0], tmp_path_factory.mktemp("pages") / "store")


@pytest.fixture
def run_id(finished):
    """A baseline of expressions, which can be compared with the best run."""
    records = [json.loads(path.read_text()) for path in (finished[0] / "artifacts/jobs").glob("*/record.json")]
    return next(record["group_id"] for record in records if record["task"] == "expr" and record["kind"] == "baseline")


@pytest.mark.parametrize("words", quick_commands())
def test_quick_commands_run(words, store, small_set, run_id, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FRAMELIGHT_STORE", str(store))
    code = main([{"DIR": str(small_set), "RUN": run_id}.get(word, word) for word in words[1:]])
    printed = capsys.readouterr()
    assert code == 0, printed.err
    assert printed.out or list(tmp_path.iterdir())
