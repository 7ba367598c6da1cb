"""Cards with wrong values are refused with the key, never with an error of Python."""

import copy
import json
import random

import pytest

import backbones
from backbones import BackboneError

NUMBERS = (True, -1, 0, 1.5, 10**30, float("nan"), float("inf"))
VALUES = (None, *NUMBERS, "", "text", "\x1b[31m\n", [], [1], [[]], {}, {"a": 1})


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cards") / "mine"
    backbone = backbones.build("tiny_mobilenet", ("Neutral", "Anger", "Other"), seed=4)
    backbones.save_checkpoint(folder, backbone, {"name": "mine"})
    return folder, json.loads((folder / "card.json").read_text())


def places(value, path=()):
    """Paths to every value in nested JSON."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in items:
        yield from places(part, (*path, key))


def mutated(card, draw):
    card = copy.deepcopy(card)
    *parents, key = draw.choice(list(places(card)))
    holder = card
    for parent in parents:
        holder = holder[parent]
    if draw.random() < 0.2:
        del holder[key]
    else:
        holder[key] = draw.choice(VALUES)
    return card


def test_mutated_cards_are_read_or_refused(saved):
    """300 of a fixed seed: what is read can be described and used, everything else is a message about the card."""
    folder, card = saved
    draw, refused = random.Random(0), 0
    original = (folder / "card.json").read_text()
    try:
        for _ in range(300):
            changed = mutated(card, draw)
            (folder / "card.json").write_text(json.dumps(changed))
            try:
                info = backbones.get_info(str(folder))
                backbones.describe("mine", folder.parent)
                assert info.as_dict() and info.spec.preprocessing.as_dict()
                backbones.load(str(folder))
            except BackboneError as error:
                refused += 1
                assert "mine" in str(error), error
    finally:
        (folder / "card.json").write_text(original)
    assert 100 < refused < 300


@pytest.mark.parametrize(
    "text, message",
    [
        ("[" * 100_000, "nested too deeply"),
        ("[]", "lacks name, architecture"),
        ("{", "cannot be read"),
        ('"\\ud800"', "lacks"),
        ('{"a": ' * 50_000, "nested too deeply"),
    ],
)
def test_damaged_card_is_named(tmp_path, text, message):
    (tmp_path / "card.json").write_text(text)
    with pytest.raises(BackboneError, match=message):
        backbones.read_card(tmp_path)


@pytest.mark.parametrize(
    "key, value, message",
    [
        ("classes", "abc", ": classes is not a list of names"),
        ("classes", ["one"], ": it names 1 classes for 3 score columns"),
        ("parameters", -5, ": parameters is not a whole number"),
        ("embedding_width", 0, ": embedding_width is not a positive whole number"),
        ("format", "1", " has format '1', but this version reads formats up to 1"),
        ("size_mb", True, ": size_mb is not a size"),
    ],
)
def test_message_names_key_and_value(saved, tmp_path, key, value, message):
    (tmp_path / "card.json").write_text(json.dumps(saved[1] | {key: value}))
    with pytest.raises(BackboneError, match=f"{tmp_path}/card.json{message}"):
        backbones.read_card(tmp_path)
