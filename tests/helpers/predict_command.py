"""Helpers of the tests of `framelight predict`."""

import csv
import json

import numpy as np

from harness.cli import main
from harness.jobs.predictions import Predictions

NAMES = {
    "expr": ("Neutral", "Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise", "Other"),
    "au": ("AU1", "AU2", "AU4", "AU6", "AU7", "AU10", "AU12", "AU15", "AU23", "AU24", "AU25", "AU26"),
}
PROBABILITIES = {task: [f"p_{name}" for name in names] for task, names in NAMES.items()}


def predict(store, source, out, *arguments, runs=("best:expr",)):
    """The command in this process; its exit code."""
    named = [word for run in runs for word in ("--run", run)]
    return main(
        ["predict", str(source), *map(str, named), "--store", str(store), "--out", str(out), *map(str, arguments)]
    )


def rows(out):
    with open(out / "predictions.csv", newline="") as file:
        return list(csv.DictReader(file))


def numbers(out, *columns):
    """float64 [rows, columns], NaN where empty."""
    return np.array([[float(row[name] or "nan") for name in columns] for row in rows(out)])


def runs_of(out):
    """What the note says of each run."""
    return json.loads((out / "predict.json").read_text())["runs"]


def kept(store, job_id, video):
    """Frame numbers and outputs that a job predicted of a validation video."""
    predictions = Predictions.load(store / "artifacts" / "jobs" / job_id / "reported.npz")
    (at,) = predictions.slices([predictions.sequences.index(video)])
    return predictions.frames[at], predictions.outputs[at]
