from __future__ import annotations

import shutil
import threading
import time

from harness.utils.locks import entry_lock


def test_waiting_is_logged_and_survives_a_moved_folder(tmp_path, capsys):
    held, folder = [], tmp_path / ".talk.partial"

    def wait():
        with entry_lock(folder / "pieces", "talk"):
            held.append((folder / ".pieces.lock").exists())

    other = threading.Thread(target=wait)
    with entry_lock(folder / "pieces"):
        other.start()
        said = ""
        while not said:
            assert other.is_alive()
            said = capsys.readouterr().err
            time.sleep(0.02)
        shutil.rmtree(folder)
        time.sleep(0.2)
    other.join(timeout=600)
    assert held == [True] and said == "waiting for another process that is writing talk\n"
