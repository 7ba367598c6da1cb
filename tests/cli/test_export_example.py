"""The `example.py` that `framelight export` writes beside its files."""

import json
import runpy
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from harness.data.registry import open_dataset
from harness.export.example import example_script
from harness.export.formats import format_named
from harness.export.parity import crop_files

BLOCKED = """import sys
for name in ("harness", "backbones", "torch", "experiments"):
    sys.modules[name] = None
"""


def test_example_turns_photos_upright(exported, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "1")  # which the script sets
    pixels = np.random.default_rng(0).integers(0, 256, (6, 4, 3), np.uint8)
    upright, exif = Image.fromarray(pixels).resize((80, 120)), Image.Exif()
    exif[0x0112] = 6
    upright.save(tmp_path / "upright.png")
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "photo.png", exif=exif)
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "sideways.png")
    outputs = []
    for name in ("upright", "photo", "sideways"):
        monkeypatch.setattr(sys, "argv", ["example.py", str(tmp_path / f"{name}.png")])
        runpy.run_path(str(exported / "example.py"))
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1] != outputs[2] and outputs[0].startswith("expression ")


def spoil(folder, mistake):
    """Make one mistake in a copy of an export; return the arguments of its example.py and what the message says."""
    face = folder / "face.png"
    Image.new("RGB", (70, 70)).save(face)
    if mistake == "no argument":
        return [], "the following arguments are required: FACE.jpg"
    if mistake == "no file":
        return [folder / "none.jpg"], f"cannot read {folder / 'none.jpg'}: No such file or directory"
    if mistake == "a folder":
        return [folder / "empty"], f"cannot read {folder / 'empty'}: "
    if mistake == "no image":
        face.write_text("a text")
        return [face], f"cannot read {face}: not an image that Pillow can read"
    if mistake == "cut image":
        face.write_bytes(face.read_bytes()[:50])
        return [face], f"cannot read {face}: not an image that Pillow can read"
    if mistake == "huge image":
        Image.new("RGB", (200, 200)).save(face)
        return [face], f"cannot read {face}: not an image that Pillow can read"
    if mistake == "no such export":
        return [face, "model-int8.onnx"], "no exported file model-int8.onnx; use one of: model-float32.onnx"
    if mistake == "export in another folder":
        other = shutil.copytree(folder, folder.with_name("other")) / "model-float32.onnx"
        return [face, other], f"no exported file {other}; use one of: model-float32.onnx"
    if mistake == "no model":
        (folder / "model-float32.onnx").write_text("a text")
        return [face], f"cannot run {folder / 'model-float32.onnx'}: "
    if mistake == "no card":
        (folder / "card.json").unlink()
        return [face], "needs card.json beside this script, and: pip install onnxruntime numpy pillow"
    (folder / "card.json").write_text("{")
    return [face], "needs card.json beside this script"


@pytest.mark.parametrize(
    "mistake",
    ("no argument", "no file", "a folder", "no image", "cut image", "huge image", "no such export")
    + ("export in another folder", "no model", "no card", "damaged card"),
)
def test_example_says_what_is_wrong(mistake, exported, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "1")
    folder = tmp_path / "out"
    shutil.copytree(exported, folder)
    (folder / "empty").mkdir()
    arguments, message = spoil(folder, mistake)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)
    monkeypatch.setattr(sys, "argv", ["example.py", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(folder / "example.py"))
    usage, *error = capsys.readouterr().err.splitlines()
    assert stop.value.code == 2 and usage.startswith("usage: example.py ")
    assert error[0].startswith("example.py: error: ") and message in " ".join(error)


def test_example_runs_the_named_file(exported, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "1")
    monkeypatch.chdir(exported.parent)
    face, model, link = tmp_path / "face.png", exported / "model-float32.onnx", tmp_path / "link.onnx"
    Image.new("RGB", (70, 70)).save(face)
    link.symlink_to(model)
    outputs = set()
    for file in ([], ["model-float32.onnx"], ["out/model-float32.onnx"], [str(model)], [str(link)]):
        monkeypatch.setattr(sys, "argv", ["example.py", str(face), *file])
        runpy.run_path(str(exported / "example.py"))
        outputs.add(capsys.readouterr().out)
    assert len(outputs) == 1 and outputs.pop().startswith("expression ")


@pytest.mark.parametrize("name", ("onnx", "openvino", "litert", "executorch"))
def test_example_names_a_missing_package(name, tmp_path, monkeypatch, capsys):
    form = format_named(name)
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "1")
    monkeypatch.setitem(sys.modules, form.runtime.split(".")[0], None)
    monkeypatch.setattr(sys, "argv", ["example.py", "face.png"])
    (tmp_path / "example.py").write_text(example_script(form, "bilinear"))
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(tmp_path / "example.py"))
    assert stop.value.code == 2 and f"pip install {form.packages[0]}" in capsys.readouterr().err


def test_example_runs_without_framelight(exported, best, small_set, tmp_path):
    text = (exported / "example.py").read_text()
    assert len([line for line in text.splitlines() if not line.startswith("#")]) <= 34
    crop = crop_files(best.load_predictions(), open_dataset(small_set))[0].path
    (tmp_path / "blocked.py").write_text(
        BLOCKED + f"sys.argv = ['example.py', {str(crop)!r}]\n"
        f"__file__ = {str(exported / 'example.py')!r}\nexec(open(__file__).read())\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", tmp_path / "blocked.py"], capture_output=True, text=True, cwd=tmp_path, timeout=600
    )
    assert done.returncode == 0, done.stderr
    said, row = done.stdout, best.load_predictions().outputs[0]
    label, numbers = said.removeprefix("expression ").split(" ", 1)
    values = json.loads(numbers.replace("'", '"'))
    np.testing.assert_allclose(list(values.values()), row, atol=2e-4)
    assert label == list(values)[row.argmax()]


@pytest.mark.slow
def test_example_runs_in_a_separate_environment(exported, best, small_set, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", "onnxruntime", "numpy", "pillow"], check=True)
    crop = crop_files(best.load_predictions(), open_dataset(small_set))[0].path
    done = subprocess.run([python, "-I", exported / "example.py", crop], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0 and done.stdout.startswith("expression "), done.stderr
