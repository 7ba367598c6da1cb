import pytest

from harness.bench.figure import Measurement, Times, interleave_rounds, median_seconds


def test_requirement_is_a_ratio_or_limit():
    assert Measurement("a", "", 1.0, "s").reached
    assert Measurement("a", "", 1.0, "s", ratio=0.9, least=0.8).reached
    assert not Measurement("a", "", 1.0, "s", ratio=0.7, least=0.8).reached
    assert not Measurement("a", "", 1.0, "s", least=0.8).reached
    assert Measurement("a", "", 1.0, "s", limit=1.0).reached and not Measurement("a", "", 1.1, "s", limit=1.0).reached
    assert not Measurement("a", "", 1.0, "s", ratio=0.7, least=0.8, limit=2.0).reached


def test_rounds_alternate_after_warmup():
    called = []
    times = interleave_rounds({"ours": lambda: called.append("o"), "theirs": lambda: called.append("t")}, rounds=2)
    assert called == ["o", "t", "t", "o", "o", "t"]
    assert {name: len(taken) for name, taken in times.rounds.items()} == {"ours": 2, "theirs": 2}


def test_ratio_is_the_median_of_the_rounds_ratios():
    times = Times({"ours": (1.0, 2.0, 10.0), "theirs": (4.0, 4.0, 10.0)})
    assert times.ratio("ours", "theirs") == 2.0 and times.median("ours") == 2.0


def test_median_of_some_rounds_is_taken():
    assert median_seconds(lambda: None, 3) >= 0
    with pytest.raises(ZeroDivisionError):
        median_seconds(lambda: 1 / 0)
