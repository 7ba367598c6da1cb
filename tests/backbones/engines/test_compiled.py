"""The compiled engine: minutes of a C++ compiler."""

import threading
import time

import numpy as np
import pytest

from backbones.engines.choosing import open_engine
from backbones.engines.compiled_engine import compiler
from backbones.engines.parity import drawn_pixels, engine_difference
from backbones.engines.shared_library import SharedLibrary

BATCH = 4


def test_a_file_that_is_no_compiled_network_is_named(tmp_path):
    (tmp_path / "model.so").write_bytes(b"nothing")
    with pytest.raises(OSError, match="model.so"):
        SharedLibrary(tmp_path / "model.so", 2, 1)


@pytest.mark.slow
@pytest.mark.skipif(compiler() is None, reason="no C++ compiler")
def test_it_is_compiled_once_and_gives_what_torch_gives(backbone, tmp_path):
    engine = open_engine("torch compiled", backbone, tmp_path, BATCH)
    assert engine_difference(engine, backbone).within
    for count in (1, BATCH, 2 * BATCH + 1):
        embeddings, scores = engine(drawn_pixels(backbone.spec.preprocessing, count))
        assert embeddings.shape == (count, 32) and scores.shape == (count, 8)
        assert np.isfinite(embeddings).all()
    [path] = tmp_path.glob("compiled-*/model.so")
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["card.json", "model.so"]
    made = path.stat().st_mtime_ns
    open_engine("torch compiled", backbone, tmp_path, BATCH)
    assert path.stat().st_mtime_ns == made
    _leaves_the_interpreter_to_others(engine, drawn_pixels(backbone.spec.preprocessing, BATCH).repeat(4096, axis=0))
    damaged = path.read_bytes()[:-1]
    path.unlink()  # a library in use is not written over
    path.write_bytes(damaged)
    assert engine_difference(open_engine("torch compiled", backbone, tmp_path, BATCH), backbone).within
    assert path.stat().st_mtime_ns != made


def _leaves_the_interpreter_to_others(engine, pixels):
    """Another thread counts on while a forward pass runs."""
    counted, ended = [0], threading.Event()

    def count():
        while not ended.is_set():
            counted[0] += 1
            time.sleep(0)

    thread = threading.Thread(target=count)
    thread.start()
    before = counted[0]
    engine(pixels)
    during = counted[0] - before
    ended.set()
    thread.join()
    assert during > 100
