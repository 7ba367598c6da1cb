"""Misspelled commands, options and choices: the message suggests the right one."""

import pytest

from harness.cli import main


def refused(capsys, *words):
    with pytest.raises(SystemExit) as stop:
        main(list(words))
    out, err = capsys.readouterr()
    assert stop.value.code == 2 and not out and err.startswith("usage: framelight")
    return " ".join(err[err.index("error: ") :].split())


@pytest.mark.parametrize(
    "words, suggestion",
    [
        (["leaderbord"], "'leaderbord'; did you mean leaderboard?"),
        (["train_backbone", "light_both"], "did you mean train-backbone or backbones?"),
        (["data", "chek", "DIR"], "'chek'; did you mean check?"),
        (["leaderboard", "--format", "tabel"], "'tabel'; did you mean table?"),
        (["run", "quickstart", "--jbos", "3"], "unknown option --jbos; did you mean --jobs?"),
        (["run", "--stoer=x", "quickstart"], "unknown option --stoer; did you mean --store?"),
        (["extract", "--daat", "x", "--backbone", "y"], "unknown option --daat; did you mean --data?"),
        (["data", "make", "x", "--frams", "3"], "unknown option --frams; did you mean --frames?"),
        (["--verison"], "unknown option --verison; did you mean --version?"),
        (["backbones", "import", "x", "--nmae", "y"], "unknown option --nmae; did you mean --name?"),
        (["backbones", "imprt", "x"], "unrecognized arguments: x; did you mean framelight backbones import?"),
    ],
)
def test_right_word_is_suggested(words, suggestion, capsys):
    assert suggestion in refused(capsys, *words)


def test_without_a_similar_word_the_choices_are_listed(capsys):
    assert "(choose from run, recipes, train-backbone, " in refused(capsys, "zzz")
    assert "unknown option --zzz; framelight run --help lists the options" in refused(capsys, "run", "x", "--zzz")


def test_usage_is_that_of_the_command(capsys):
    with pytest.raises(SystemExit):
        main(["recipes", "mine"])
    assert capsys.readouterr().err.startswith("usage: framelight recipes [-h]")


def test_abbreviated_options_are_options(tmp_path, capsys):
    assert main(["data", "check", str(tmp_path / "none"), "--al"]) == 2
    assert "no such data folder" in capsys.readouterr().err


@pytest.mark.parametrize("columns", [60, 80])
@pytest.mark.parametrize("words", [["zzz"], ["leaderbord"], ["run", "x", "--zzz"], ["leaderboard", "--format", "x"]])
def test_message_fits_the_terminal(words, columns, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(columns))
    with pytest.raises(SystemExit):
        main(words)
    assert max(map(len, capsys.readouterr().err.splitlines())) <= columns
