"""Each wrong input has a specific message and exit code."""

import json
import shutil
import subprocess

import pytest

from harness.cli import main


def said(capsys, *arguments, code=2):
    assert main([str(a) for a in arguments]) == code
    lines = capsys.readouterr().err.rstrip().splitlines()
    first = max(number for number, line in enumerate(lines) if line.startswith("framelight: "))
    assert all(line.startswith("  ") for line in lines[first + 1 :])
    return "\n".join(lines[first:])


def run(recipe, data, tmp_path, *more):
    return ("run", recipe, "--data", data, "--store", tmp_path / "store", "--jobs", 1, *more)


QUICK = ("--set", "baselines=false", "--set", "pictures=false")


def test_no_such_folder(capsys, recipe_file, tmp_path):
    assert "no such data folder" in said(capsys, *run(recipe_file, tmp_path / "none", tmp_path))


def test_unknown_layout(capsys, recipe_file, tmp_path):
    (tmp_path / "data").mkdir()
    assert "layout" in said(capsys, *run(recipe_file, tmp_path / "data", tmp_path))


def test_recipe_that_needs_data(capsys, tmp_path):
    assert "add --data DIR" in said(capsys, "run", "abaw3_expr", "--store", tmp_path / "store")


@pytest.mark.parametrize("recipe, message", [("quickstrt", "did you mean quickstart"), ("mine.py", "no such recipe")])
def test_unknown_recipe(capsys, tmp_path, recipe, message):
    assert message in said(capsys, "run", recipe, "--store", tmp_path / "store")


def test_unknown_backbone(capsys, recipe_file, small_set, tmp_path):
    assert "did you mean tiny_resnet" in said(
        capsys, *run(recipe_file, small_set, tmp_path), "--set", "backbones=tiny_resnt"
    )


def test_unavailable_weights(capsys, recipe_file, small_set, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    message = said(capsys, *run(recipe_file, small_set, tmp_path), "--set", "backbones=mobilenet_v4_small")
    assert "@random" in message and "cannot be downloaded" in message


def test_weights_of_an_unknown_name(capsys, recipe_file, small_set, tmp_path):
    message = said(capsys, *run(recipe_file, small_set, tmp_path), "--set", "backbones=tiny_resnet@nothing_of_that")
    assert "nothing_of_that" in message


@pytest.mark.parametrize("setting, message", [("sedes=1", "did you mean"), ("seeds=one", "an integer")])
def test_unknown_key_and_value(capsys, recipe_file, small_set, tmp_path, setting, message):
    assert message in said(capsys, *run(recipe_file, small_set, tmp_path), "--set", setting)


def test_unknown_task_of_a_leaderboard(capsys, tmp_path):
    assert "did you mean expr" in said(capsys, "leaderboard", "--task", "exp", "--store", tmp_path)


def test_empty_store_has_an_empty_leaderboard(capsys, tmp_path):
    assert main(["leaderboard", "--store", str(tmp_path / "none")]) == 0
    assert not (tmp_path / "none").exists()


def annotation(data, text):
    path = expr_files(data, "Train_Set")[0]
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:4], text, *lines[5:]]) + "\n")
    return f"{path}:5"


@pytest.fixture
def data(small_set, empty_store, tmp_path):
    """A copy of the small set to spoil, beside a store with an empty database."""
    subprocess.run(["cp", "-r", small_set, tmp_path / "data"], check=True)
    shutil.copytree(empty_store, tmp_path / "store")
    return tmp_path / "data"


def expr_files(data, split):
    return sorted((data / "Third ABAW Annotations/EXPR_Classification_Challenge" / split).glob("*.txt"))


@pytest.mark.parametrize("text", ["surprised", "8", "-2", "1.5", ""])
def test_malformed_annotation_is_named_with_its_line(capsys, recipe_file, data, tmp_path, text):
    assert annotation(data, text) in said(capsys, *run(recipe_file, data, tmp_path))


def test_corrupt_image_is_named_and_counted_as_missing(capsys, recipe_file, data, tmp_path):
    image = sorted((data / "cropped_aligned").glob("*/*.jpg"))[0]
    image.write_bytes(image.read_bytes()[:200])
    assert main([str(a) for a in run(recipe_file, data, tmp_path, *QUICK)]) == 0
    assert f"{image.parent.name}/{image.name}" in capsys.readouterr().err


def test_unreachable_server_raises_before_work(capsys, recipe_file, small_set, tmp_path):
    message = said(capsys, *run(recipe_file, small_set, tmp_path), "--tracking-uri", "http://127.0.0.1:9", code=1)
    assert "does not answer" in message
    assert not (tmp_path / "store/features").exists()


def test_one_class_only(capsys, recipe_file, data, tmp_path):
    for path in expr_files(data, "Train_Set"):
        header, *rows = path.read_text().splitlines()
        path.write_text("\n".join([header, *("4" for _ in rows)]) + "\n")
    assert "Happiness" in said(capsys, *run(recipe_file, data, tmp_path))


def test_video_without_crop_lowers_the_coverage(capsys, recipe_file, data, tmp_path):
    shutil.rmtree(data / "cropped_aligned" / expr_files(data, "Validation_Set")[0].stem)
    assert (
        main(
            [
                str(a)
                for a in run(recipe_file, data, tmp_path, "--set", "features=embeddings", "--set", "pictures=false")
            ]
        )
        == 0
    )
    capsys.readouterr()
    assert main(["leaderboard", "--store", str(tmp_path / "store"), "--format", "json"]) == 0
    assert max(row["coverage"] for row in json.loads(capsys.readouterr().out)) < 0.8


@pytest.mark.parametrize("split, name", [("Train_Set", "train"), ("Validation_Set", "validation")])
def test_empty_split(capsys, recipe_file, data, tmp_path, split, name):
    for path in expr_files(data, split):
        path.unlink()
    message = said(capsys, *run(recipe_file, data, tmp_path))
    assert name in message and "expr" in message


def test_split_without_one_valid_label(capsys, recipe_file, data, tmp_path):
    for path in expr_files(data, "Validation_Set"):
        header, *rows = path.read_text().splitlines()
        path.write_text("\n".join([header, *("-1" for _ in rows)]) + "\n")
    assert "validation" in said(capsys, *run(recipe_file, data, tmp_path))


def test_too_few_videos_to_split(capsys, recipe_file, data, tmp_path):
    for path in expr_files(data, "Train_Set")[1:]:
        path.unlink()
    message = said(capsys, *run(recipe_file, data, tmp_path, "--set", "baselines=false"))
    assert "hold out" in message or "held" in message


def test_failed_job_is_reported_tracked_and_rerun(capsys, recipe_file, small_set, tmp_path):
    arguments = [str(a) for a in run(recipe_file, small_set, tmp_path, *QUICK)]
    assert (
        main(
            [
                "extract",
                "--data",
                str(small_set),
                "--backbone",
                "tiny_mobilenet@random",
                "--store",
                str(tmp_path / "store"),
                "--jobs",
                "1",
            ]
        )
        == 0
    )
    scores = sorted((tmp_path / "store/features").glob("*/*/scores.npy"))[0]
    whole = scores.read_bytes()
    scores.write_bytes(whole[:100])
    capsys.readouterr()
    assert main(arguments) == 1
    told = capsys.readouterr()
    assert f"{scores}" in told.err and "failed" in told.out
    scores.write_bytes(whole)
    assert main(arguments) == 0
    assert "1 jobs run, 2 already finished" in capsys.readouterr().err


@pytest.mark.parametrize("seed", ["-1", "99999999999999999999"])
def test_invalid_seed(capsys, recipe_file, small_set, tmp_path, seed):
    message = said(capsys, *run(recipe_file, small_set, tmp_path, "--set", f"seeds={seed}"))
    assert "a seed must be an integer" in message
    assert not (tmp_path / "store").exists()


def test_store_that_is_a_file(capsys, recipe_file, small_set, tmp_path):
    (tmp_path / "store").write_text("")
    assert "is a file" in said(capsys, *run(recipe_file, small_set, tmp_path))
    assert "is a file" in said(capsys, "leaderboard", "--store", tmp_path / "store")


def test_leaderboard_written_to_a_folder(capsys, tmp_path):
    assert "is a folder" in said(capsys, "leaderboard", "--store", tmp_path / "none", "--out", tmp_path)


@pytest.mark.parametrize("uri", ["ftp://x", "garbage"])
def test_invalid_tracking_uri(capsys, recipe_file, small_set, tmp_path, uri):
    assert "tracking URI" in said(capsys, *run(recipe_file, small_set, tmp_path, "--tracking-uri", uri))


def test_recipes_that_are_not_python(capsys, tmp_path):
    (tmp_path / "recipe.txt").write_text("")
    for path in (tmp_path / "recipe.txt", f"{tmp_path}/"):
        assert "is not a recipe" in said(capsys, "run", path)


def test_unknown_timm_model_suggests_few_names(capsys, tmp_path):
    message = said(capsys, "backbones", "timm:zzzzqqqq", "--store", tmp_path)
    assert "zzzzqqqq" in message and len(message) < 1000


def test_ports_of_the_ui(capsys, finished):
    import socket

    assert "1 to 65535" in said(capsys, "ui", "--store", finished[0], "--port", 99999)
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        assert "is in use" in said(capsys, "ui", "--store", finished[0], "--port", busy.getsockname()[1])


@pytest.mark.parametrize(
    "words",
    [
        ("data", "check", "{}"),
        ("data", "check", "{}/deeper"),
        ("extract", "--data", "{}", "--backbone", "tiny_resnet@random"),
        ("leaderboard", "--store", "{}"),
        ("data", "make", "{}", "--videos", "4", "--frames", "10", "--stills", "0"),
        ("export", "best:expr", "--out", "{}"),
        ("submit", "best:expr", "--data", "{}", "--out", "out"),
        ("predict", "{}", "--run", "best:expr", "--out", "out"),
    ],
)
@pytest.mark.parametrize("kind", ["loop", "long"])
def test_symlink_loop_and_long_name_are_wrong_input(tmp_path, capsys, monkeypatch, words, kind):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a"
    path.symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(path)
    if kind == "long":
        path = tmp_path / ("x" * 300)
    code = main([word.format(path) for word in words])
    *_, said = capsys.readouterr().err.splitlines()
    assert code == 2 and said.startswith("framelight: ") and "defect" not in said, said
