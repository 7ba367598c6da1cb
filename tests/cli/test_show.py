"""`framelight show`, `recipes`, `completion` and `--version`."""

import json
import subprocess

import pytest

from experiments._durations import MINUTES
from harness.cli import main
from harness.leaderboard.run_summary_text import _format_setting
from harness.metrics.tasks import EXPRESSIONS
from harness.runner import BackboneRecipe, Recipe, recipe_names


def best(store, capsys):
    assert main(["leaderboard", "--store", str(store), "--format", "json"]) == 0
    return next(row for row in json.loads(capsys.readouterr().out) if row["kind"] == "run")


def test_show_has_all_values_of_the_board(finished, capsys):
    store, _ = finished
    row = best(store, capsys)
    assert main(["show", row["run_id"][:6], "--store", str(store), "--format", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    main_metric = shown["metrics"][row["metric"]]
    assert main_metric["corrected"] == pytest.approx(row["corrected"], abs=1e-6)
    assert {name: one["few_units"] for name, one in shown["metrics"].items() if one["few_units"] is not None} == row[
        "few_units"
    ]
    assert main_metric["value"] == pytest.approx(row["value"], abs=1e-6)
    assert (main_metric["ci_low"], main_metric["ci_high"]) == pytest.approx((row["ci_low"], row["ci_high"]), abs=1e-6)
    assert sorted(map(int, shown["seeds"])) == row["seeds"] and shown["features"] == row["features"]
    assert all(seed["mlflow_run"] for seed in shown["seeds"].values())


def test_show_prints_classes_and_folders(finished, capsys):
    store, _ = finished
    row = best(store, capsys)
    assert main(["show", f"best:{row['task']}", "--store", str(store)]) == 0
    text = capsys.readouterr().out
    assert text.startswith("run ") and "95% CI: jackknife over" in text and "corrected" in text
    if row["task"] == "expr":
        assert all(f"F1/{name}" in text for name in EXPRESSIONS)
    assert f"cost: not measured; framelight export {row['run_id']} --out DIR" in text
    assert str(store / "artifacts" / "jobs") in text
    assert max(len(line) for line in text.splitlines() if "/" not in line) <= 100


def test_show_has_no_internal_fields(finished, capsys):
    store, _ = finished
    assert main(["show", "best:expr", "--store", str(store)]) == 0
    text = capsys.readouterr().out
    names = [line.split()[0] for line in text.split("\n\n")[1].splitlines()]
    assert not {"revision", "entry", "kind", "head.kind", "head.parts"} & set(names) and "head.epochs" in names
    assert " true\n" in text and "raw: score without smoothing" in text


def test_settings_of_the_networks_of_a_head_are_words():
    parts = [{"type": "Part", "output": "au", "features": None, "hidden": 128, "l2": 1e-05}]
    assert _format_setting(parts) == "output=au hidden=128 l2=1e-05"


def test_unknown_run_cannot_be_shown(finished, tmp_path, capsys):
    store, _ = finished
    assert main(["show", "zzz", "--store", str(store)]) == 2
    assert "zzz" in capsys.readouterr().err
    assert main(["show", "best:expr", "--store", str(tmp_path / "empty")]) == 2
    assert "no runs are tracked" in capsys.readouterr().err and not (tmp_path / "empty").exists()


def test_recipes_are_listed_with_requirements(capsys):
    assert main(["recipes"]) == 0
    text = capsys.readouterr().out
    lines = [line.split() for line in text.splitlines() if line.startswith("  ") and line[2] != " "]
    assert [line[0] for line in lines] == [*recipe_names(Recipe), *recipe_names(BackboneRecipe)]
    jobs = {line[0]: int(line[1]) for line in lines[: len(recipe_names(Recipe))]}
    assert jobs["quickstart"] == 54 and jobs["abaw3_au"] == 12
    assert "Needs no data (it renders synthetic videos). Trains 2 backbones first." in text
    assert max(map(len, text.splitlines())) <= 100


def test_recipes_are_listed_with_the_measured_times(monkeypatch, capsys):
    assert set(MINUTES) == set(recipe_names()) and all(time is None or time > 0 for time in MINUTES.values())
    monkeypatch.setitem(MINUTES, "quickstart", 2.5)
    monkeypatch.setitem(MINUTES, "vggface2_identities", 90.0)
    monkeypatch.setitem(MINUTES, "abaw3_va", None)
    assert main(["recipes"]) == 0
    lines = capsys.readouterr().out.splitlines()
    ends = {line.split()[0]: line.rsplit("  ", 1)[1].strip() for line in lines if line[2:3].strip() and "  " in line}
    assert (ends["quickstart"], ends["vggface2_identities"], ends["abaw3_va"]) == ("~2.5 min", "~90 min", "-")


def test_version_is_printed(capsys):
    with pytest.raises(SystemExit) as done:
        main(["--version"])
    assert done.value.code == 0 and capsys.readouterr().out.startswith("framelight 0.")


@pytest.mark.parametrize(
    "words, answer",
    [("framelight sh", "show"), ("framelight run quick", "quickstart"), ("framelight compare --f", "--format")],
)
def test_bash_completes(capsys, tmp_path, words, answer):
    assert main(["completion", "bash"]) == 0
    script = tmp_path / "completion.bash"
    script.write_text(capsys.readouterr().out)
    parts = " ".join(f"'{word}'" for word in words.split())
    code = (
        f"source {script}; COMP_WORDS=({parts}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _framelight; "
        'echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True)
    assert answer in done.stdout.split()
