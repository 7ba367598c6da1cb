import numpy as np
import pytest

from harness.bench import scale
from harness.bench.figure import ScaleResult, growth_exponent
from harness.bench.scale import growth_measurements, measure, write_features
from harness.bench.scale_plot import plot_scaling
from harness.bench.scale_process import SEQUENCE, entry_key
from harness.features.store import FeatureStore
from harness.utils.errors import FramelightError


def scaled(frames, head, peak=1.5):
    return ScaleResult(frames, {"head": head, "record": head / 10}, int(peak * 2**30))


def test_exponent_is_the_slope_of_log_time():
    assert growth_exponent([scaled(n, 3e-5 * n) for n in (10_000, 100_000, 1_000_000)]) == pytest.approx(1)
    assert growth_exponent([scaled(n, n**1.3) for n in (10_000, 30_000, 1_000_000)]) == pytest.approx(1.3)


def test_steep_growth_and_high_memory_miss_the_requirement():
    fine = [scaled(n, 3e-5 * n) for n in (10_000, 100_000, 1_000_000)]
    assert [one.reached for one in growth_measurements(fine)] == [True] * 3
    steep = [*fine, scaled(2_000_000, 200.0, peak=3.2)]
    assert {one.part: one.reached for one in growth_measurements(steep)} == {
        "scale exponent, all": False,
        "scale exponent, from the second": False,
        "scale memory": False,
    }


def test_smaller_entries_are_prefixes(tmp_path):
    write_features(tmp_path, (SEQUENCE, 2 * SEQUENCE))
    small, large = (FeatureStore(tmp_path).entry(entry_key(n * SEQUENCE)) for n in (1, 2))
    assert list(small.sequences) == ["video0000"] and list(large.sequences) == ["video0000", "video0001"]
    np.testing.assert_array_equal(small.read("video0000", "embeddings")[0], large.read("video0000", "embeddings")[0])
    again = FeatureStore(tmp_path / "again")
    write_features(again.root, (2 * SEQUENCE,))
    for name in large.sequences:
        np.testing.assert_array_equal(
            again.entry(entry_key(2 * SEQUENCE)).read(name, "embeddings")[0], large.read(name, "embeddings")[0]
        )


def test_full_disk_raises_before_writing(tmp_path, monkeypatch):
    monkeypatch.setattr(scale, "SPARE_BYTES", 1 << 60)
    with pytest.raises(FramelightError, match="GB are needed temporarily; free some space, or choose another store"):
        next(measure(tmp_path / "store"))
    assert list((tmp_path / "store").iterdir()) == []


def test_figure_is_deterministic(tmp_path):
    measured = [scaled(n, 3e-5 * n) for n in (10_000, 100_000, 1_000_000)]
    for name in ("one.png", "two.png"):
        plot_scaling(tmp_path / name, measured)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


@pytest.mark.slow
def test_two_sizes_are_measured_drawn_and_removed(tmp_path):
    figures = list(measure(tmp_path / "store", tmp_path / "scale.png", (SEQUENCE, 2 * SEQUENCE)))
    assert [one.part for one in figures] == ["scale 5,000", "scale 10,000", "scale exponent, all", "scale memory"]
    assert figures[0].value > 0 and 0.1 < figures[-1].value < 3
    assert (tmp_path / "scale.png").is_file() and list((tmp_path / "store").iterdir()) == []


@pytest.mark.slow
def test_failed_size_is_named(tmp_path):
    with pytest.raises(FramelightError, match="the job with 5,000 frames failed .*no complete feature entry"):
        scale._run_in_subprocess(tmp_path, SEQUENCE)
