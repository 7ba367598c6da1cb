"""Contact sheet of cropped videos: a few crops of each person with the name of their folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from harness.data.image_decoding import CorruptImageError, decode_image
from harness.inference.cropping.records import PersonRecord
from harness.inference.overlay.canvas import draw_text
from harness.utils.escaping import escape_text
from harness.utils.files import atomic_write, explain_write_errors

SHEET = "contact_sheet.jpg"
MAX_PEOPLE = 240
"""Maximum number of people on a sheet. If there are more, a selection at regular intervals is shown."""
CROPS, SIDE, GAP, TITLE = 6, 80, 4, 20
"""Number of crops of a person; side of a crop, gap and height of a title in pixels."""
ROWS = 40
"""Maximum number of people in a column."""
TITLE_CHARACTERS = 56
BACKGROUND, TEXT = 24, "#e8edf2"
QUALITY = 88


def write_contact_sheet(folder: Path, people: Sequence[PersonRecord], out: Path) -> int:
    """Write the contact sheet of people.

    Parameters
    ----------
    folder : Path
        Folder with the folders of crops.
    people : sequence of PersonRecord
        People whose folder no longer exists are left out. If no people remain, no sheet is written.
    out : Path
        Folder of the sheet, whose name is `SHEET`.

    Returns
    -------
    int
        Number of people on the sheet.
    """
    present = [person for person in people if (folder / person.name).is_dir()]
    shown = [present[i] for i in np.linspace(0, len(present) - 1, min(len(present), MAX_PEOPLE)).astype(int)]
    if not shown:
        return 0
    rows = min(len(shown), ROWS)
    width, height = CROPS * (SIDE + GAP) + GAP, TITLE + SIDE + GAP
    columns = -(-len(shown) // rows)
    sheet = np.full((rows * height + GAP, columns * (width + 2 * GAP), 3), BACKGROUND, np.uint8)
    for index, person in enumerate(shown):
        column, row = divmod(index, rows)
        _draw_person(sheet[row * height :, column * (width + 2 * GAP) :], folder, person)
    _, data = cv2.imencode(".jpg", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    with explain_write_errors(out / SHEET), atomic_write(out / SHEET) as tmp_path:
        tmp_path.write_bytes(data.tobytes())
    return len(shown)


def _draw_person(pixels: np.ndarray, folder: Path, person: PersonRecord) -> None:
    """Draw the title and the crops of a person at the top left of an image."""
    name = escape_text(person.name)
    name = name if len(name) <= TITLE_CHARACTERS else f"{name[: TITLE_CHARACTERS - 1]}…"
    draw_text(pixels, f"{name}  ({person.crops:,})", GAP, TITLE / 2 + 1, 12, TEXT)
    names = sorted(path.name for path in (folder / person.name).iterdir())
    for number, at in enumerate(np.linspace(0, len(names) - 1, min(len(names), CROPS)).astype(int).tolist()):
        try:
            crop = decode_image(folder / person.name / names[at], upright=False)
        except CorruptImageError:  # a crop that was changed since it was written
            continue
        left = GAP + number * (SIDE + GAP)
        pixels[TITLE : TITLE + SIDE, left : left + SIDE] = cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
