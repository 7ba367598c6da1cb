"""What tells rows apart that look alike: the settings in which they differ, as short as they can be said."""

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
"""Settings of a head in the order they are listed in, with the names they have on a board."""
PROTOCOL_SETTING_NAMES = {"protocol.fraction": "fraction", "protocol.folds": "folds", "protocol.refit": "refit"}
Settings = dict[str, Any]


def head_settings(record: Record) -> Settings:
    """The settings of the record's head without its kind, in the order of SHORT; {} for a head that has none.

    `parts`, the last: {output: its own settings}.
    """
    head = record.config.get("head")
    settings = _without_type(head, "kind") if isinstance(head, Mapping) else {}
    if "parts" in settings:
        settings["parts"] = {
            part["output"]: {key: value for key, value in _without_type(part, "output").items() if value is not None}
            for part in settings["parts"]
        }
    known = [name for name in SETTING_NAMES if name in settings]
    return {name: settings[name] for name in [*known, *sorted(settings.keys() - SETTING_NAMES.keys())]}


def distinguishing_settings(looks: Sequence[tuple], listed: Sequence[Record]) -> list[list[str]]:
    """For each configuration of a board, all that it has different from those of the same looks; [] for nothing.

    Head settings are named first; weights, features, smoothing candidates, protocol and whatever else the
    configurations hold follow, each only where rows would still look alike.
    """
    said: list[list[str]] = [[] for _ in listed]
    for aspect, describe in ASPECTS:
        for group in _indistinguishable_groups(looks, said):
            for i, words in zip(group, describe([aspect(listed[i]) for i in group])):
                said[i] += words
    return said


def shortest_distinguishing(looks: Sequence[tuple], full: Sequence[Sequence[str]]) -> list[list[str]]:
    """Of `distinguishing_settings`, only as many as tell the same rows apart."""
    said: list[list[str]] = [[] for _ in full]
    for place in range(max(map(len, full), default=0)):
        for group in _indistinguishable_groups(looks, said):
            words = [full[i][place : place + 1] for i in group]
            if any(word != words[0] for word in words):
                for i, word in zip(group, words):
                    said[i] += word
    return said


def _indistinguishable_groups(looks: Sequence[tuple], said: Sequence[Sequence[str]]) -> list[list[int]]:
    """Places of rows that still look alike after what was said, two or more together."""
    alike: dict[tuple, list[int]] = defaultdict(list)
    for i, (look, words) in enumerate(zip(looks, said)):
        alike[(look, tuple(words))].append(i)
    return [group for group in alike.values() if len(group) > 1]


def unique_prefix(names: Iterable[str], shortest: int = 6) -> int:
    """Characters that tell the names apart."""
    known = set(names)
    longest = max(map(len, known), default=0)
    return next((n for n in range(shortest, longest) if len({name[:n] for name in known}) == len(known)), longest)


def _flat_head_settings(record: Record) -> Settings:
    """`head_settings` with those of each part as `va:hidden`."""
    settings = head_settings(record)
    parts = settings.pop("parts", {})
    return settings | {f"{output}:{name}": value for output, own in parts.items() for name, value in own.items()}


def _weights_hash(record: Record) -> Settings:
    return {"weights": record.weights_hash}


def _feature_entry(record: Record) -> Settings:
    return {"entry": record.config.get("entry") or ""}


def _smoothing_settings(record: Record) -> Settings:
    """The candidates, and what the column of the filter shows where there is only one."""
    smoothing = record.config.get("smoothing")
    if not isinstance(smoothing, Mapping):
        return {}
    kernels, smallest, largest = (smoothing.get(name) for name in ("kernels", "smallest", "largest"))
    only = "none" if largest == 0 else kernels[0] if smallest == largest and len(kernels) == 1 else None
    return _without_type(smoothing) | {"only": only and (only, largest)}


def _other_settings(record: Record) -> Settings:
    named_elsewhere = ("head", "entry", "smoothing", "source", "note")
    return _flatten({name: value for name, value in record.config.items() if name not in named_elsewhere})


def _flatten(settings: Mapping[str, Any], prefix: str = "") -> Settings:
    flat: Settings = {}
    for name, value in sorted(_without_type(settings).items()):
        flat |= _flatten(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: value}
    return flat


def _without_type(settings: Mapping[str, Any], *others: str) -> Settings:
    """Without the name of the class that a configuration's plain form carries."""
    return {name: value for name, value in settings.items() if name not in ("type", *others)}


def _differing_names(several: list[Settings]) -> list[str]:
    names = dict.fromkeys(name for settings in several for name in settings)
    return [name for name in names if len({repr(settings.get(name)) for settings in several}) > 1]


def _format_values(several: list[Settings]) -> list[list[str]]:
    """`name=value` for each setting that differs."""
    said: list[list[str]] = [[] for _ in several]
    for name in _differing_names(several):
        texts = _distinct_texts([settings.get(name) for settings in several])
        for words, settings, text in zip(said, several, texts):
            words += [_setting_label(name) + text] if name in settings else []
    return said


def _setting_label(name: str) -> str:
    """`lr=`; of a part of a head `va:lr=`, and `va:` of the features it reads."""
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


def _format_hashes(several: list[Settings]) -> list[list[str]]:
    """`name ab12cd` for each hash that differs."""
    said: list[list[str]] = [[] for _ in several]
    for name in _differing_names(several):
        length = unique_prefix(settings[name] for settings in several)
        for words, settings in zip(said, several):
            words += [f"{name} {settings[name][:length]}"] if settings[name] else []
    return said


def _format_candidates(several: list[Settings]) -> list[list[str]]:
    """Smoothing: kernels when they differ, `r<=50` when radii do, how gaps are filled when that does.

    A filter without a choice is in a column of its own, and is only said here where two of them would read alike.
    """
    differing = _differing_names(several)
    only = {(settings["only"], tuple(settings["kernels"])) for settings in several if settings and settings["only"]}
    alike = Counter(shown for shown, _ in only)
    return [
        _format_smoothing(settings, [name for name in differing if name == "gaps" or alike[settings["only"]] != 1])
        if settings
        else []
        for settings in several
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
    """Each as text; numbers with as few digits, three at least, as tell them apart."""
    different = len(set(map(repr, values)))
    tries = ([_format_value(value, digits) for value in values] for digits in range(3, 18))
    return next(
        (texts for texts in tries if len(set(texts)) == different), [_format_value(value, 17) for value in values]
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
    (_weights_hash, _format_hashes),
    (_feature_entry, _format_hashes),
    (_smoothing_settings, _format_candidates),
    (_other_settings, _format_values),
)
