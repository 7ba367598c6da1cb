"""Cards of exports that someone else has written: they are read, or refused with one plain message."""

import json

import pytest

from backbones.regular_files import hash_file
from harness.cli import main
from harness.export.card import INPUT, KIND, VERSION
from harness.export.exported_model import open_exported
from harness.metrics.tasks import get_task
from harness.utils.errors import InputError
from tests.helpers.exported_runs import FILE, some_crops, write_export
from tests.helpers.hostile_records import DEEP, NAMES, mutations

EXPR = get_task("expr")


def card_of(folder):
    """The card of an export whose file gives expressions, with every field that is read."""
    digest = hash_file(folder / FILE)
    return {
        "kind": KIND,
        "version": VERSION,
        "format": "onnx",
        "task": "expr",
        "input": {"name": INPUT, "size": 20, "any_size": True, "interpolation": "bilinear"},
        "outputs": {"name": "outputs", "columns": list(EXPR.columns), "blocks": []},
        "embedding": None,
        "thresholds": None,
        "smoothing": {"kernel": "mean", "radius": 2, "gaps": "linear"},
        "causal": {"kernel": "trailing_mean", "radius": 4, "gaps": "held", "thresholds": None},
        "margin": {"scale": 1.3, "dx": 0.0, "dy": 0.0},
        "run": {"run_id": "aaaa", "job_id": "aaaa-s0", "backbone": "tiny", "features": "embeddings", "head": "mlp"},
        "files": [{"precision": "float32", "file": FILE, "parts": {FILE: digest}, "sha256": digest, "size": 1000}],
    }


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    return write_export(tmp_path_factory.mktemp("cards") / "export")


def opened(folder, card):
    (folder / "card.json").write_text(card if isinstance(card, str) else json.dumps(card))
    return open_exported(folder)


def test_the_card_of_these_tests_is_one(export):
    assert opened(export, card_of(export))(some_crops()).shape == (3, 8)


def test_every_mutation_is_read_or_refused(export):
    failures = []
    for what, card in mutations(card_of(export), 200, seed=15):
        try:
            opened(export, card)(some_crops())
        except InputError as error:
            assert len(str(error)) < 2000
        except Exception as error:
            failures.append(f"{what}: {type(error).__name__}: {error}")
    assert not failures, f"{len(failures)} failures\n" + "\n".join(failures[:40])


@pytest.mark.parametrize("name", [*NAMES, "card.json/../../x"], ids=range(len(NAMES) + 1))
def test_names_of_files_stay_in_the_folder(export, name):
    card, digest = card_of(export), "0" * 64
    for files in (
        [{**card["files"][0], "file": name, "parts": {name: digest}}],
        [{**card["files"][0], "parts": {FILE: card["files"][0]["sha256"], name: digest}}],
        [{**card["files"][0], "precision": name}],
    ):
        with pytest.raises(InputError):
            opened(export, {**card, "files": files})
    for key in ("job_id", "run_id"):
        with pytest.raises(InputError, match=key):
            opened(export, {**card, "run": {**card["run"], key: name}})


@pytest.mark.parametrize("text", ["", "{", "[]", "null", DEEP, '{"kind": ' + DEEP + "}", "\x00", "NaN"], ids=range(8))
def test_what_is_no_card_is_wrong_input(export, text, tmp_path, capsys):
    with pytest.raises(InputError):
        opened(export, text)
    (tmp_path / "frames").mkdir()
    out = tmp_path / "out"
    assert (
        main(["predict", str(tmp_path / "frames"), "--run", str(export), "--out", str(out), "--store", str(tmp_path)])
        == 2
    )
    assert "defect" not in capsys.readouterr().err and not out.exists()


def test_a_card_of_a_newer_version_is_said_to_be_one(export):
    with pytest.raises(InputError, match="newer version of Framelight"):
        opened(export, {**card_of(export), "version": VERSION + 1})
