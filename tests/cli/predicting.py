"""What the tests of `framelight predict` share."""

import csv
import json

import numpy as np

from harness.cli import main
from harness.jobs.predictions import Predictions

NAMES = {"expr": ("Neutral", "Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise", "Other"),
         "va": ("valence", "arousal")}


def predict(store, source, out, *arguments, runs=("best:expr",)):
    """The command in this process; its exit code."""
    named = [word for run in runs for word in ("--run", run)]
    return main(["predict", str(source), *map(str, named), "--store", str(store), "--out", str(out),
                 *map(str, arguments)])


def rows(out):
    with open(out / "predictions.csv", newline="") as file:
        return list(csv.DictReader(file))


def numbers(out, *columns):
    """float64 [rows, columns], NaN where empty."""
    return np.array([[float(row[name] or "nan") for name in columns] for row in rows(out)])


def kept(store, task):
    """The record of the first seed of the best run of a task, and its kept predictions."""
    jobs = store / "artifacts" / "jobs"
    found = [json.loads(path.read_text()) for path in sorted(jobs.glob("*/record.json"))]
    found = [one for one in found if one["task"] == task and one["kind"] == "run" and one["seed"] == 0]
    assert len(found) == 1
    return found[0], Predictions.load(jobs / found[0]["job_id"] / "reported.npz")
