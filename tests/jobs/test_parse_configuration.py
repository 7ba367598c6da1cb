"""Configurations in records: those of jobs come back, and others are refused even if their hash is right."""

import dataclasses
import json

import pytest

from harness.data.protocol import Protocol
from harness.jobs.causal import load_record, replay_folder
from harness.jobs.job import Configuration, parse_configuration
from harness.smoothing.candidates import SmoothingGrid
from harness.tracking.record_json import to_json
from harness.training.heads.config import HeadConfig, HeadOverride
from harness.utils.errors import FramelightError
from harness.utils.hashing import content_hash, to_jsonable
from harness.utils.store import Store
from tests.helpers.hostile_records import mutations
from tests.helpers.records import record

SEPARATE = HeadConfig("separate", l2=1, parts=(HeadOverride("au", hidden=8, l2=0), HeadOverride("va", keep="loss")))
CONFIGURATION = Configuration("run", "mtl", "d0", "e0", "embeddings", SEPARATE, SmoothingGrid(), Protocol(seed=3))
JSON = to_jsonable(CONFIGURATION)


def recorded(config):
    """A record with these settings, and their hash."""
    group = content_hash(config)
    return record(group, config=config, task="mtl")


@pytest.mark.parametrize("head", [None, HeadConfig(), SEPARATE], ids=["none", "mlp", "separate"])
@pytest.mark.parametrize("protocol", [Protocol(), Protocol(seed=0, refit=False), Protocol("published")], ids=str)
def test_configurations_come_back(head, protocol):
    configuration = dataclasses.replace(CONFIGURATION, head=head, protocol=protocol)
    config = json.loads(json.dumps(to_jsonable(configuration)))
    assert parse_configuration(recorded(config)) == configuration


WRONG = {
    "a protocol as smoothing": {"smoothing": to_jsonable(Protocol())},
    "smoothing as protocol": {"protocol": to_jsonable(SmoothingGrid())},
    "smoothing as head": {"head": to_jsonable(SmoothingGrid())},
    "a configuration as head": {"head": JSON},
    "no smoothing": {"smoothing": None},
    "no protocol": {"protocol": None},
    "text as head": {"head": "mlp"},
    "untyped head": {"head": {"kind": "mlp"}},
    "list as type": {"head": {"type": ["HeadConfig"]}},
    "number as task": {"task": 3},
    "list as entry": {"entry": ["e0"]},
    "null as features": {"features": None},
    "text as revision": {"revision": "3"},
    "true as revision": {"revision": True},
    "fraction as radius": {"smoothing": {**JSON["smoothing"], "smallest": 0.5}},
    "text as kernels": {"smoothing": {**JSON["smoothing"], "kernels": "mean"}},
    "text as standardise": {"head": {**JSON["head"], "standardise": "no"}},
    "text as parts": {"head": {**JSON["head"], "parts": "va"}},
    "null as part": {"head": {**JSON["head"], "parts": [None]}},
    "protocol as part": {"head": {**JSON["head"], "parts": [JSON["protocol"]]}},
    "true as l2": {"head": {**JSON["head"], "l2": True}},
    "huge l2": {"head": {**JSON["head"], "l2": 10**400}},
    "unknown kind": {"head": {**JSON["head"], "kind": "forest"}},
    "text as refit": {"protocol": {**JSON["protocol"], "refit": "yes"}},
    "text as folds": {"protocol": {**JSON["protocol"], "folds": "5"}},
    "another word as seed": {"protocol": {**JSON["protocol"], "seed": "per-video"}},
}


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG)
def test_settings_of_another_type_are_refused(tmp_path, changes):
    wrong = recorded({**JSON, **changes})
    with pytest.raises(FramelightError, match=f"run {wrong.group_id} was made by another version"):
        parse_configuration(wrong)


def test_every_mutation_is_parsed_or_refused():
    for what, config in mutations(JSON, 400, seed=15):
        try:
            parsed = parse_configuration(recorded(config))
        except FramelightError:
            continue
        assert type(parsed.smoothing) is SmoothingGrid and type(parsed.protocol) is Protocol, what
        assert parsed.head is None or type(parsed.head) is HeadConfig, what


def test_a_replay_of_a_run_with_other_settings_is_refused(tmp_path):
    store, wrong = Store(tmp_path), recorded({**JSON, "smoothing": to_jsonable(Protocol())})
    folder = replay_folder(store, wrong.job_id)
    folder.path.mkdir(parents=True)
    folder.record.write_text(to_json(wrong))
    with pytest.raises(FramelightError, match="run its recipe again"):
        load_record(store, wrong)
