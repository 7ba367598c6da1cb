"""The README keeps what it promises."""

import re
from pathlib import Path

import pytest

from harness.cli.parser import build_parser

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")


def commands():
    blocks = re.findall(r"```bash\n(.*?)```", README, flags=re.S)
    lines = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [part.split() for line in lines for part in line.split("&&") if part.strip().startswith("framelight")]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_parses(words):
    build_parser().parse_args(words[1:])


def test_every_setting_is_one():
    from harness.runner import apply_settings, find_recipe

    for words in commands():
        settings = [words[i + 1] for i, word in enumerate(words) if word == "--set"]
        if settings:
            assert apply_settings(find_recipe("abaw3_expr"), settings)


def test_no_placeholder_is_left():
    assert not re.search(r"^[A-Z]{5,}$|QUICKMINUTES|LEADERBOARD", README, flags=re.M)


def test_the_first_screen_shows_the_leaderboard_and_the_two_commands():
    first = README[: README.index("## On your data")]
    assert "P_EXPR" in first and "framelight run quickstart" in first and "python -m pytest" in first


def test_what_is_imported_elsewhere_is_light():
    import subprocess
    import sys

    code = re.search(r"```python\n(.*?)```", README, flags=re.S)[1]
    code += "\nimport sys; print([m for m in ('torch', 'mlflow', 'optuna', 'pandas') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
