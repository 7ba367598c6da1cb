import dataclasses
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.tracking import export_records, record_json, record_schema, records
from harness.utils.errors import FramelightError
from tests.helpers.records import record

finite = st.floats(-1, 1)
scores = st.dictionaries(st.sampled_from(["CCC_V", "CCC_A", "accuracy", "F1/AU1"]), finite)


@given(scores, st.integers(0, 99), st.none() | st.lists(finite, min_size=12, max_size=12), st.text(), st.booleans())
def test_record_round_trips_through_json(metrics, seed, thresholds, label, random):
    before = record(
        seed=seed,
        thresholds=thresholds,
        backbone=label,
        backbone_random=random,
        metrics={**metrics, "P_EXPR": 0.5},
        config={"l2": 1e-4, "sizes": [1, 2]},
        curve={"mean": {"radius": [0, 1], "reported": [0.1, 0.2], "selected": [0.3, 0.4]}},
    )
    for indent in (None, 1):
        assert record_json.from_json(record_json.to_json(before, indent)) == before


def test_numpy_values_become_plain_json():
    made = record(thresholds=np.array([0.5, 0.25]), metrics={"P_EXPR": np.float64(0.5)}, radius=np.int64(7))
    text = json.loads(record_json.to_json(made))
    assert text["thresholds"] == [0.5, 0.25] and text["metrics"] == {"P_EXPR": 0.5} and text["radius"] == 7


def test_record_file_round_trips(tmp_path):
    path = tmp_path / "jobs" / "a" / "record.json"
    record_json.write(path, record())
    assert record_json.read(path) == record()
    assert [p.name for p in path.parent.iterdir()] == ["record.json"]


@pytest.mark.parametrize(
    "text, said",
    [
        ("", "not a record"),
        ("{", "not a record"),
        ("[]", "not a record"),
        ("{}", "not a record"),
        ('{"schema": 99}', "schema 99"),
        ('{"schema": 1}', "fields do not fit"),
    ],
)
def test_invalid_record_raises_with_path(tmp_path, text, said):
    path = tmp_path / "record.json"
    path.write_text(text)
    with pytest.raises(FramelightError, match=said) as raised:
        record_json.read(path)
    assert str(path) in str(raised.value)


def test_record_of_the_first_schema_is_read():
    values = json.loads(record_json.to_json(record(), indent=1)) | {"schema": 1}
    for added in ("code", "training", "expected_trainings", "training_group"):
        del values[added]
    assert record_json.from_json(json.dumps(values)) == record()
    with pytest.raises(FramelightError, match="schemas from 1"):
        record_json.from_json(json.dumps(values | {"schema": 0}))


def test_unknown_field_missing_file_and_binary_rubbish_are_readable_errors(tmp_path):
    values = json.loads(record_json.to_json(record())) | {"colour": "red"}
    with pytest.raises(FramelightError, match="colour"):
        record_json.from_json(json.dumps(values))
    with pytest.raises(FramelightError, match="cannot read"):
        record_json.read(tmp_path / "none.json")
    (tmp_path / "b.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FramelightError, match="cannot read"):
        record_json.read(tmp_path / "b.json")


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "guess"},
        {"status": "lost"},
        {"metrics": {"P_EXPR": math.nan}},
        {"unsmoothed": {"P_EXPR": math.inf}},
        {"metrics": {"accuracy": 0.5}},
    ],
)
def test_inconsistent_record_raises(change):
    with pytest.raises(FramelightError, match="abc"):
        record(**{"group": "abc", **change})


def test_light_keeps_all_that_a_leaderboard_reads():
    full = record(curve={"mean": {"radius": [0]}}, environment={"git": "x"}, duration={"train": 1.0})
    light = full.light()
    assert not light.curve and not light.environment
    assert dataclasses.replace(light, curve=full.curve, environment=full.environment, duration=full.duration) == full


def test_every_field_is_checked_where_it_is_read():
    assert set(record_schema.FIELDS) == {field.name for field in dataclasses.fields(records.Record)}
    assert set(export_records.FIELDS) == {field.name for field in dataclasses.fields(export_records.ExportRecord)}
