from __future__ import annotations

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from pyarrow import parquet

from harness.inference.tables import CSV, PARQUET, as_csv, table, write_tables
from harness.metrics.tasks import ACTION_UNITS, EXPRESSIONS, TASKS
from tests.helpers.prediction_results import a_reading

TWO = [(100, 80, 120, 120), (350, 90, 100, 100)]


def test_one_row_for_each_face_of_each_frame_and_one_for_each_frame_without():
    rows = table(a_reading(TWO, frames=6, without=(3, 4)))
    assert rows["frame"].tolist() == [1, 1, 2, 2, 3, 4, 5, 5, 6, 6]
    assert rows["face"].fillna(0).tolist() == [1, 2, 1, 2, 0, 0, 1, 2, 1, 2]
    assert rows["time"].tolist() == [0, 0, 0.04, 0.04, 0.08, 0.12, 0.16, 0.16, 0.2, 0.2]
    alone = rows[rows["frame"] == 3].iloc[0]
    assert alone["found"] == 0 and alone.drop(["frame", "time", "found"]).isna().all()


def test_columns_are_those_of_the_outputs_then_the_same_raw():
    outputs = [
        "expression",
        *(f"p_{name}" for name in EXPRESSIONS),
        "valence",
        "arousal",
        *ACTION_UNITS,
        *(f"p_{name}" for name in ACTION_UNITS),
    ]
    place = ["frame", "time", "face", "found", "x", "y", "width", "height", "detection"]
    for tasks in (("mtl",), ("expr", "va", "au")):
        assert set(table(a_reading(TWO, frames=3, tasks=tasks))) == {*place, *outputs, *(f"{n}_raw" for n in outputs)}
    assert list(table(a_reading(TWO, frames=3))) == [*place, *outputs, *(f"{name}_raw" for name in outputs)]
    assert list(table(a_reading(TWO, frames=3, tasks=("va",))))[9:] == [
        "valence",
        "arousal",
        "valence_raw",
        "arousal_raw",
    ]


def test_columns_of_two_runs_have_the_run_in_their_name():
    reading = a_reading(TWO, frames=3, tasks=("mtl", "expr"))
    rows = table(reading)
    names = [one.name for one in reading.outputs]
    assert {f"{name}.expression" for name in names} <= set(rows) and "expression" not in rows
    assert "valence" in rows, "what one run alone gives keeps its plain name"
    for name, one in zip(names, reading.outputs):
        block = one.smoothed[:, one.task.slices()["expr"]]
        assert rows[f"{name}.p_Fear"].to_numpy() == pytest.approx(block[:, EXPRESSIONS.index("Fear")], abs=1e-7)
        assert rows[f"{name}.expression"].tolist() == [EXPRESSIONS[best] for best in block.argmax(axis=1)]


def test_values_and_decisions_match_the_result():
    thresholds = tuple(np.linspace(0.1, 0.9, 12))
    reading = a_reading(TWO, frames=20, lost=[(1, 5, 9)], thresholds=thresholds)
    rows, one = table(reading), reading.outputs[0]
    for suffix, values in (("", one.smoothed), ("_raw", one.raw)):
        for i, column in enumerate(TASKS["mtl"].columns):
            name = column if column in ("valence", "arousal") else f"p_{column}"
            assert rows[name + suffix].to_numpy() == pytest.approx(values[:, i], abs=1e-7, nan_ok=True)
        units = one.task.slices()["au"]
        known = ~np.isnan(values[:, units]).any(axis=1)
        decided = rows[[f"{unit}{suffix}" for unit in ACTION_UNITS]]
        assert (decided[known].to_numpy(dtype=int) == (values[known, units] >= thresholds)).all()
        assert decided[~known].isna().all(axis=None)
    lost = (rows["face"] == 1) & rows["frame"].between(5, 9)
    assert rows.loc[lost, "found"].eq(0).all() and rows.loc[~lost, "found"].eq(1).all()
    assert rows.loc[lost, ["expression_raw", "p_Anger_raw", "AU1_raw", "detection"]].isna().all(axis=None)
    assert rows.loc[lost, ["expression", "p_Anger", "AU1", "x"]].notna().all(axis=None), "filled, and marked"


def test_empty_frames_have_empty_cells(tmp_path):
    write_tables(a_reading(TWO, frames=8, lost=[(2, 1, 8)], missing="empty"), tmp_path)
    rows = pd.read_csv(tmp_path / CSV)
    never = rows[rows["face"] == 2]
    assert never[["expression", "p_Anger", "valence", "AU1"]].isna().all(axis=None) and never["x"].notna().all()
    assert "nan" not in (tmp_path / CSV).read_text().lower()


def test_csv_and_parquet_are_equal(tmp_path):
    reading = a_reading(TWO, frames=30, lost=[(1, 3, 9)], without=(20, 21), tasks=("expr", "au"))
    assert write_tables(reading, tmp_path) == (tmp_path / CSV, tmp_path / PARQUET)
    rows, kept, typed = table(reading), pd.read_csv(tmp_path / CSV), pd.read_parquet(tmp_path / PARQUET)
    assert list(kept) == list(rows) == list(typed)
    pd.testing.assert_frame_equal(typed.astype(object).fillna("-"), rows.astype(object).fillna("-"))
    pd.testing.assert_frame_equal(kept.astype(object).fillna("-"), rows.astype(object).fillna("-"))
    assert typed["frame"].dtype == np.int32 and typed["face"].isna().sum() == 2
    said = json.loads(parquet.read_schema(tmp_path / PARQUET).metadata[b"framelight"])
    assert said["source"] == "talker.mp4" and said["frames"] == 30
    assert [run["task"] for run in said["runs"]] == ["expr", "au"] and said["runs"][0]["kernel"] == "mean"
    before = [(tmp_path / name).read_bytes() for name in (CSV, PARQUET)]
    write_tables(reading, tmp_path)
    assert [(tmp_path / name).read_bytes() for name in (CSV, PARQUET)] == before


def test_dtypes_do_not_depend_on_the_faces():
    some, none = (table(a_reading(TWO, frames=4, without=without)) for without in ((), (1, 2, 3, 4)))
    assert len(none) == 4 and none.dtypes.tolist() == some.dtypes.tolist()


def test_numbers_are_rounded(tmp_path):
    write_tables(a_reading(TWO, frames=40, rate=30000 / 1001), tmp_path)
    cells = [cell for line in (tmp_path / CSV).read_text().splitlines()[1:] for cell in line.split(",")]
    assert max(sum(c.isdigit() for c in cell.split("e")[0].lstrip("0.-")) for cell in cells) <= 10


def test_table_is_written_in_chunks():
    reading = a_reading(TWO, frames=6)
    rows = table(reading)
    first, last = rows[rows["frame"] <= 2], rows[rows["frame"] > 2]
    assert as_csv(first) + as_csv(last, header=False) == as_csv(rows)


def test_pictures_without_time_and_runs_whose_names_hold_a_comma(tmp_path):
    reading = a_reading(TWO, frames=3, rate=None, tasks=("va", "va"))
    named = tuple(dataclasses.replace(one, name=name) for one, name in zip(reading.outputs, ("a,b", 'c"d')))
    write_tables(dataclasses.replace(reading, outputs=named), tmp_path)
    rows = pd.read_csv(tmp_path / CSV)
    assert rows["time"].isna().all() and {"a,b.valence", 'c"d.arousal_raw'} <= set(rows)
