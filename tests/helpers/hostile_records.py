"""Tracking locations and documents that someone else has written, with whatever they like in them."""

import copy
import json
import math
import random
import sqlite3

from harness.tracking.record_json import to_json
from harness.tracking.serialization import JOB_TAG, RECORD_TAG

NAMES = (
    "../../../planted",
    "/tmp/planted",
    "a/../../../../planted",
    "..",
    ".",
    "",
    ".hidden",
    "nul\0byte",
    "x" * 300,
    "..\\..\\planted",
    "C:\\planted",
    "C:planted",
    "new\nline",
    "escape\x1b[2J",
    "lone \ud800 surrogate",
    "bidi \u202e txt",
    "two words",
    "-rf",
    "*",
)
"""What is no name of a file or folder inside the store."""
TEXTS = {
    "escape": "cheap\x1b[2J\x1b[1;31m",
    "newline": "cheap\n1    best_of_all   emb   mlp   0.999",
    "carriage return": "cheap\r1 best",
    "bidi": "cheap \u202egnp.exe",
    "surrogate": "cheap \ud800",
    "separator": "cheap\u20281 best",
    "c1": "cheap\x9b31m",
}
"""Texts that change what a terminal shows around them."""
MARKUP = {
    "html": "<img src=x onerror=alert(1)>",
    "link": "[scores](javascript:alert(1))",
    "autolink": "<javascript:alert(1)>",
    "image": "![x](http://example.org/track.png)",
    "pipe": "a | b | c",
    "escaped pipe": "a \\| b",
    "code": "`x`",
    "bold": "**best**",
    "newline": "a\n| 1 | forged | row |",
    "entity": "&lt;b&gt;",
}
FORMULAS = ("=cmd|'/c calc'!A0", "+1+cmd|'x'!A0", "-2+3+cmd|'x'!A0", "@SUM(1+9)*cmd|'x'!A0", "\t=1+1", "\r=1+1")


def write_database(path, runs, status="FINISHED"):
    """An sqlite file with the tables of MLflow that are read; `runs` are (run id, tags)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with sqlite3.connect(path) as database:
        database.executescript(
            "CREATE TABLE experiments (experiment_id INTEGER, lifecycle_stage TEXT);"
            "CREATE TABLE runs"
            " (run_uuid TEXT, status TEXT, lifecycle_stage TEXT, experiment_id INTEGER, end_time INTEGER);"
            "CREATE TABLE tags (run_uuid TEXT, key TEXT, value TEXT);"
            "INSERT INTO experiments VALUES (1, 'active');"
        )
        for i, (run, tags) in enumerate(runs):
            database.execute("INSERT INTO runs VALUES (?, ?, 'active', 1, ?)", (run, status, i))
            database.executemany("INSERT INTO tags VALUES (?, ?, ?)", [(run, *tag) for tag in tags.items()])
    database.close()
    return path


def document(record, **changes):
    """The document of a record, with fields replaced by any JSON values."""
    return {**json.loads(to_json(record, indent=1)), **changes}


def tagged(run, text, job="someone-s0"):
    """A tracked run with this text as its record."""
    return run, {RECORD_TAG: text if isinstance(text, (str, bytes)) else json.dumps(text), JOB_TAG: job}


def leaves(value, path=()):
    """The paths of all values inside a JSON value, and of the containers themselves."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in items:
        yield from leaves(part, (*path, key))


OTHERS = (
    None,
    True,
    -1,
    2**80,
    10**400,
    0.5,
    -1e308,
    math.nan,
    math.inf,
    "",
    "0.5",
    "text",
    "../../planted",
    "\x1b[2J\n\ud800",
    [],
    [[]],
    ["text"],
    [None],
    [1e308],
    {},
    {"a": {"b": None}},
    "nested",
    "missing",
)


def mutations(value, count, seed):
    """`count` pairs of what was changed and the changed JSON value, the same ones for each seed."""
    generator, paths = random.Random(seed), sorted(leaves(value), key=repr)
    for number in range(count):
        path = paths[number % len(paths)] if number < len(paths) else generator.choice(paths)
        other, changed = generator.choice(OTHERS), copy.deepcopy(value)
        at = changed
        for key in path[:-1]:
            at = at[key]
        if other == "missing":
            del at[path[-1]]
        elif other == "nested":
            at[path[-1]] = nested(40)
        else:
            at[path[-1]] = other
        yield f"{'.'.join(map(str, path))} = {other!r}"[:200], changed


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


DEEP = "[" * 100_000 + "]" * 100_000
