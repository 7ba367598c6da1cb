"""Pages: commands parse, settings exist and links resolve."""

import re
import subprocess
import sys

import pytest

from harness import BackboneRecipe, FramelightError, Recipe
from harness.cli.parser import build_parser
from harness.runner import apply_settings, find_recipe
from tests.helpers.pages import HOME, PAGES, bash_commands, page_name

README = (HOME / "README.md").read_text(encoding="utf-8")
MOST_LINES = 200


def framelight_commands():
    return [
        pytest.param(words, id=f"{page_name(page)}: {' '.join(words)}")
        for page in PAGES
        for words in bash_commands(page)
        if words[0] == "framelight"
    ]


@pytest.mark.parametrize("words", framelight_commands())
def test_every_command_parses(words):
    build_parser().parse_args(words[1:])


@pytest.mark.parametrize("words", framelight_commands())
def test_every_setting_exists(words):
    settings = [value for word, value in zip(words, words[1:]) if word == "--set"]
    if settings and not words[2].endswith(".py"):
        assert apply_settings(
            find_recipe(words[2], {"run": Recipe, "train-backbone": BackboneRecipe}[words[1]]), settings
        )


def settings_in_text():
    """Settings that the text names as `--set KEY=VALUE`, outside of bash blocks."""
    for page in PAGES:
        text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
        for setting in re.findall(r"--set ([\w.]+=[^\s`]+)", text):
            yield pytest.param(setting, id=f"{page_name(page)}: {setting}")


@pytest.mark.parametrize("setting", settings_in_text())
def test_every_setting_in_the_text_exists(setting):
    refused = []
    for name, kind in (("abaw3_mtl", Recipe), ("abaw3_au", Recipe), ("light_both", BackboneRecipe)):
        try:
            apply_settings(find_recipe(name, kind), [setting])
        except FramelightError as error:
            refused.append(str(error))
    assert len(refused) < 3, refused


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_recipe_named_in_a_command_exists(page):
    recipes = {path.stem for path in (HOME / "experiments").glob("[a-z]*.py")}
    for words in bash_commands(page):
        if words[:2] in (["framelight", "run"], ["framelight", "train-backbone"]):
            assert words[2] in recipes or words[2].endswith(".py"), words


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    headings = re.findall(r"^#+ (.*)$", text, flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_relative_link_and_image_exists(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)
    for link in links:
        target, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), f"{page_name(page)}: {link}"
        if anchor:
            assert anchor in anchors(path), f"{page_name(page)}: {link}"


def test_every_page_is_linked_from_the_readme():
    linked = {(HOME / link.partition("#")[0]).resolve() for link in re.findall(r"\]\(([^)\s]+)\)", README)}
    assert {page for page in PAGES if page.name == "README.md" and page.parent != HOME} <= linked


def test_readme_is_short():
    assert len(README.splitlines()) <= MOST_LINES


def test_first_screen_shows_the_leaderboard_and_the_two_commands():
    first = README[: README.index("## On your data")]
    assert "P_EXPR" in first and "framelight run quickstart" in first and "python -m pytest" in first
    board = README[: README.index("<!-- leaderboard -->")]
    assert len(board.splitlines()) <= 40


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_printed_board_names_its_processor(page):
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"^-{20,}$", text, flags=re.M) or re.search("AMD EPYC|Intel Xeon", text)


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_numbers_are_written_as_in_english(page):
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"\d %|(?<![\w.\d/*])\.\d", text)


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_no_placeholder_is_left(page):
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"^[A-Z]{5,}$|@@|TODO|FIXME", text, flags=re.M)


def test_standalone_imports_are_light():
    code = re.search(r"```python\n(.*?)```", README, flags=re.S)[1]
    core = "\n".join(line for line in code.splitlines() if "metrics" in line or "smoothing" in line)
    core += "\nimport sys; print([m for m in ('torch', 'mlflow', 'optuna', 'pandas') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", core], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_every_name_imported_on_a_page_exists():
    import harness

    for page in PAGES:
        for names in re.findall(
            r"^from (?:harness|framelight) import (.*)$", page.read_text(encoding="utf-8"), flags=re.M
        ):
            for name in names.partition("#")[0].split(","):
                assert name.strip() in harness.__all__, f"{page_name(page)}: {name}"
