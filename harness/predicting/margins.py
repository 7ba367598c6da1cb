"""How wide a run's crops were cut."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.features.crop_margins import margin_of_data

if TYPE_CHECKING:
    from harness.predicting.passes import Reader
    from harness.video.faces.boxes import Margin
    from harness.video.faces.detector import Detector


def margins_of(readers: Sequence[Reader], detector: Detector, store: Path, given: float | None,
               say: Callable[[str], None]) -> list[Margin]:
    """For each reader the margin of the crops it learned from, the default one where that is not known.

    given: side of a crop in sides of the found box, for all of them.
    """
    from harness.features.crop_margins import DEFAULT
    from harness.video.faces.boxes import Margin

    if given is not None:
        return [Margin(given)] * len(readers)
    found = [reader.margin or margin_of_data(reader.images, detector, store, say) for reader in readers]
    for reader, margin in zip(readers, found):
        if margin is None:
            say(f"the crops that {reader.name} learned from are not here, or few faces are found in them: crops are "
                f"cut with the default margin of {DEFAULT.scale:g}; --margin X sets another")
    return [margin or DEFAULT for margin in found]
