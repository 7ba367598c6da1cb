"""Settings that tell similar rows of a board apart, in the shortest form."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from harness.tracking.records import Record

SETTING_NAMES = {
    "hidden": "hidden",
    "learning_rate": "lr",
    "l2": "l2",
    "epochs": "epochs",
    "batch_size": "batch",
    "standardise": "standardise",
    "schedule": "schedule",
    "keep": "keep",
    "class_weights": "class_weights",
    "label_smoothing": "label_smoothing",
    "va_loss": "va_loss",
    "task_weights": "task_weights",
    "invalid": "invalid",
}
"""Settings of a head in display order, with their names on a board."""
PROTOCOL_SETTING_NAMES = {"protocol.fraction": "fraction", "protocol.folds": "folds", "protocol.refit": "refit"}
PROTOCOL_DEFAULTS = {
    "protocol.fraction": 0.25,
    "protocol.folds": 0,
    "protocol.refit": True,
    "protocol.seed": "per-seed",
}
"""Default values; if rows differ in such a setting, only values other than the default are shown."""
EARLIER_PROTOCOL = {"protocol.refit": False, "protocol.seed": 0}
"""Protocol settings that records of earlier versions do not contain, with the values that applied to them."""
Settings = dict[str, Any]
_NO_DEFAULT = object()
Key = tuple[object, ...]
"""A display key; see `harness.leaderboard.row_keys.display_key`."""


def head_settings(record: Record) -> Settings:
    """Return the settings of the record's head without its kind.

    Parameters
    ----------
    record : Record
        A job.

    Returns
    -------
    dict
        Settings in the order of `SETTING_NAMES`; `parts` comes last and maps each output to its overrides. Empty for a
        head without settings.
    """
    head = record.config.get("head")
    settings = _without_type(head, "kind") if isinstance(head, Mapping) else {}
    if "parts" in settings:
        settings["parts"] = {
            part["output"]: {key: value for key, value in _without_type(part, "output").items() if value is not None}
            for part in settings["parts"]
        }
    ordered = [name for name in SETTING_NAMES if name in settings]
    return {name: settings[name] for name in [*ordered, *sorted(settings.keys() - SETTING_NAMES.keys())]}


def distinguishing_settings(display_keys: Sequence[Key], records: Sequence[Record]) -> list[list[str]]:
    """List the settings in which each configuration differs from those with the same display key.

    Settings of the head come first. Rows that still look the same get more: trainings of the backbone, then weights,
    features, smoothing candidates, and finally the protocol and all other settings.

    Parameters
    ----------
    display_keys : sequence of tuple
        Cells of each configuration on the board; see `harness.leaderboard.row_keys.display_key`.
    records : sequence of Record
        One record of each configuration.

    Returns
    -------
    list of list of str
        Settings such as `lr=0.01`; empty for a configuration that is unique.
    """
    distinctions: list[list[str]] = [[] for _ in records]
    for get_settings, describe in ASPECTS:
        for group in _indistinguishable_groups(display_keys, distinctions):
            for i, words in zip(group, describe([get_settings(records[i]) for i in group])):
                distinctions[i] += words
    return distinctions


def shortest_distinguishing(display_keys: Sequence[Key], full: Sequence[Sequence[str]]) -> list[list[str]]:
    """Leave out the `distinguishing_settings` that are not needed to tell rows apart."""
    distinctions: list[list[str]] = [[] for _ in full]
    for i_word in range(max(map(len, full), default=0)):
        for group in _indistinguishable_groups(display_keys, distinctions):
            words = [full[i][i_word : i_word + 1] for i in group]
            if any(word != words[0] for word in words):
                for i, word in zip(group, words):
                    distinctions[i] += word
    return distinctions


def _indistinguishable_groups(display_keys: Sequence[Key], distinctions: Sequence[Sequence[str]]) -> list[list[int]]:
    """Group the indices of rows that are still indistinguishable; groups of one are left out."""
    groups: dict[tuple[Key, tuple[str, ...]], list[int]] = defaultdict(list)
    for i, (key, words) in enumerate(zip(display_keys, distinctions)):
        groups[key, tuple(words)].append(i)
    return [group for group in groups.values() if len(group) > 1]


def unique_prefix(names: Iterable[str]) -> int:
    """Return how many leading characters tell the names apart: at least 6, unless all names are shorter."""
    distinct = set(names)
    longest = max(map(len, distinct), default=0)
    return next((n for n in range(6, longest) if len({name[:n] for name in distinct}) == len(distinct)), longest)


def _flat_head_settings(record: Record) -> Settings:
    """Return `head_settings` with the overrides of each output under names such as `va:hidden`."""
    settings = head_settings(record)
    parts = settings.pop("parts", {})
    return settings | {f"{output}:{name}": value for output, part in parts.items() for name, value in part.items()}


def _training_count(record: Record) -> Settings:
    """Return the number of trainings of the backbone; 1 if the recipe does not repeat it."""
    return {"trainings": max(1, len(record.expected_trainings))}


def _weights_hash(record: Record) -> Settings:
    return {"weights": record.weights_hash}


def _feature_entry(record: Record) -> Settings:
    return {"entry": record.config.get("entry") or ""}


def _smoothing_settings(record: Record) -> Settings:
    """Return the smoothing candidates; `only` is (kernel, radius) if there is a single candidate, else None."""
    smoothing = record.config.get("smoothing")
    if not isinstance(smoothing, Mapping):
        return {}
    smallest, largest = smoothing.get("smallest"), smoothing.get("largest")
    kernels: Sequence[str] = smoothing.get("kernels", ())
    only = "none" if largest == 0 else kernels[0] if smallest == largest and len(kernels) == 1 else None
    return _without_type(smoothing) | {"only": only and (only, largest)}


def _other_settings(record: Record) -> Settings:
    named_elsewhere = ("head", "entry", "smoothing", "source", "note")
    settings = _flatten({name: value for name, value in record.config.items() if name not in named_elsewhere})
    return (EARLIER_PROTOCOL if "protocol.name" in settings else {}) | settings


def _flatten(settings: Mapping[str, Any], prefix: str = "") -> Settings:
    flat: Settings = {}
    for name, value in sorted(_without_type(settings).items()):
        flat |= _flatten(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: value}
    return flat


def _without_type(settings: Mapping[str, Any], *others: str) -> Settings:
    """Return settings without the class name and without the names in `others`."""
    return {name: value for name, value in settings.items() if name not in ("type", *others)}


def _differing_names(group: list[Settings]) -> list[str]:
    names = dict.fromkeys(name for settings in group for name in settings)
    return [name for name in names if len({repr(settings.get(name)) for settings in group}) > 1]


def _format_values(group: list[Settings]) -> list[list[str]]:
    """Return `name=value` for each setting that differs, except for defaults of the protocol."""
    distinctions: list[list[str]] = [[] for _ in group]
    for name in _differing_names(group):
        texts = _distinct_texts([settings.get(name) for settings in group])
        for words, settings, text in zip(distinctions, group, texts):
            is_shown = name in settings and settings[name] != PROTOCOL_DEFAULTS.get(name, _NO_DEFAULT)
            words += [_setting_label(name) + text] if is_shown else []
    return distinctions


def _setting_label(name: str) -> str:
    """Return a label: `lr=` for a setting, `va:lr=` for a setting of the output `va`, `va:` for its features."""
    part, colon, setting = name.rpartition(":")
    return (
        part
        + colon
        + (
            ""
            if colon and setting == "features"
            else f"{(SETTING_NAMES | PROTOCOL_SETTING_NAMES).get(setting, setting)}="
        )
    )


def _format_hashes(group: list[Settings]) -> list[list[str]]:
    """Return `name ab12cd` for each hash that differs."""
    distinctions: list[list[str]] = [[] for _ in group]
    for name in _differing_names(group):
        length = unique_prefix(settings[name] for settings in group)
        for words, settings in zip(distinctions, group):
            words += [f"{name} {settings[name][:length]}"] if settings[name] else []
    return distinctions


def _format_candidates(group: list[Settings]) -> list[list[str]]:
    """Format what differs between smoothing candidates: kernels, radii such as `r<=50`, and the filling of gaps.

    The smoothing column already shows a single candidate. It is repeated here only if two rows look the same there.
    """
    differing = _differing_names(group)
    only = {(settings["only"], tuple(settings["kernels"])) for settings in group if settings and settings["only"]}
    counts = Counter(shown for shown, _ in only)
    return [
        _format_smoothing(settings, [name for name in differing if name == "gaps" or counts[settings["only"]] != 1])
        if settings
        else []
        for settings in group
    ]


def _format_smoothing(smoothing: Settings, differing: list[str]) -> list[str]:
    words = ["/".join(smoothing.get("kernels", ()))] if "kernels" in differing else []
    if "smallest" in differing or "largest" in differing:
        smallest, largest = smoothing.get("smallest", 0), smoothing.get("largest", 0)
        words.append(
            f"r={largest}" if smallest == largest else f"r<={largest}" if smallest == 0 else f"r={smallest}..{largest}"
        )
    return words + ([f"gaps={smoothing['gaps']}"] if "gaps" in differing and "gaps" in smoothing else [])


def _distinct_texts(values: list[Any]) -> list[str]:
    """Format values; floats are rounded to three significant digits, or to more if needed to tell them apart."""
    distinct = len(set(map(repr, values)))
    candidates = ([_format_value(value, digits) for value in values] for digits in range(3, 18))
    return next(
        (texts for texts in candidates if len(set(texts)) == distinct), [_format_value(value, 17) for value in values]
    )


def _format_value(value: Any, digits: int) -> str:
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    if isinstance(value, (list, tuple)):
        return "+".join(_format_value(item, digits) for item in value) or "none"
    return str(value)


ASPECTS: tuple[tuple[Callable[[Record], Settings], Callable[[list[Settings]], list[list[str]]]], ...] = (
    (_flat_head_settings, _format_values),
    (_training_count, _format_values),
    (_weights_hash, _format_hashes),
    (_feature_entry, _format_hashes),
    (_smoothing_settings, _format_candidates),
    (_other_settings, _format_values),
)
"""Pairs of functions, most informative first: one selects settings of a record, the other formats those that differ."""
