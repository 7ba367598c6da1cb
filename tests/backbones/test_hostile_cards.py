"""Cards of backbones that someone else has written: they are read, or refused with one plain message."""

import json

import pytest

import backbones
from backbones import BackboneError
from harness.cli import main
from harness.leaderboard.learned_images import describe_learned_images, learned_images
from harness.utils.store import Store
from tests.helpers.hostile_records import DEEP, TEXTS, mutations
from tests.helpers.records import record


@pytest.fixture(scope="module")
def entries(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cards") / "store" / "artifacts" / "backbones"
    network = backbones.build("tiny_mobilenet", ("Neutral", "Anger", "Other"), seed=4)
    details = {"data": "stills", "data_digest": "abc", "metrics": {"macro_f1": 0.5}, "parent": None}
    backbones.save_checkpoint(folder / "mine-0123", network, {"name": "mine", **details})
    return folder


@pytest.fixture
def card(entries):
    path = entries / "mine-0123" / "card.json"
    whole = path.read_text()
    yield path
    path.write_text(whole)


@pytest.mark.parametrize("count, seed", [(20, 15), pytest.param(200, 16, marks=pytest.mark.slow)])
def test_every_mutation_is_read_or_refused(entries, card, capsys, count, seed):
    failures = []
    for what, values in mutations(json.loads(card.read_text()), count, seed=seed):
        card.write_text(json.dumps(values))
        for read in (backbones.get_info, backbones.load, backbones.describe):
            try:
                read("mine-0123", entries)
            except BackboneError:
                pass
            except Exception as error:
                failures.append(f"{what}: {read.__name__}: {type(error).__name__}: {error}")
        for name in ([], ["mine-0123"]):
            code = main(["backbones", *name, "--store", str(entries.parent.parent)])
            told = capsys.readouterr()
            if code not in (0, 1, 2) or "defect" in told.err or "\x1b" in told.out + told.err:
                failures.append(f"{what}: backbones {name}: {code} {told.err[-200:]}")
    assert not failures, f"{len(failures)} failures\n" + "\n".join(failures[:40])


@pytest.mark.parametrize("text", ["", "{", "[]", "null", DEEP, '{"name": ' + DEEP + "}", "\x00", "NaN"], ids=range(8))
def test_what_is_no_card_is_refused(entries, card, text):
    card.write_text(text)
    with pytest.raises(BackboneError):
        backbones.load("mine-0123", entries)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_the_list_of_backbones_prints_no_control_character(entries, card, capsys, text):
    values = json.loads(card.read_text())
    card.write_text(json.dumps({**values, "licence": text, "imported_from": text, "source": text, text: text}))
    for name in ([], ["mine-0123"]):
        assert main(["backbones", *name, "--store", str(entries.parent.parent)]) == 0
        told = capsys.readouterr()
        assert not [c for c in told.out + told.err if not c.isprintable() and c != "\n"]
        assert not [line for line in told.out.splitlines() if line.strip().startswith("1 ")]


ABOUT_IMAGES = ("16", {}, [], {"images": "many"}, {"images": None}, {"images": -1}, {"images": 2.5}, {"images": True})


@pytest.mark.parametrize("about", [*ABOUT_IMAGES, {"images": 2, "unknown": ["x"]}], ids=str)
def test_what_a_card_says_of_the_training_images_is_checked(entries, card, about):
    values = json.loads(card.read_text())
    card.write_text(json.dumps({**values, "image_hashes": about}))
    mine = {"backbone": "mine", "backbone_weights": "checkpoint mine", "weights_hash": values["weights_hash"]}
    known = learned_images(record(**mine), Store(entries.parent.parent))
    assert describe_learned_images(known) == "not known, so copies of scored crops among them cannot be found"
    with pytest.raises(BackboneError, match="image_hashes is not an object whose `images` is"):
        backbones.read_card(card.parent)
