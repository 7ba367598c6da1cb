"""Styles of the synthetic videos and still images: the facial behavior and the recording conditions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from backbones.spec import AFFECTNET
from harness.data.synthetic import acting, conditions, posed, spontaneous
from harness.data.synthetic.acting import Acting
from harness.data.synthetic.conditions import RecordingConditions
from harness.metrics.tasks import EXPRESSIONS


@dataclass(frozen=True)
class VideoStyle:
    """Style of videos.

    Attributes
    ----------
    simulate : callable
        Simulates a video from a random generator, the number of frames, the expressions, and the expressiveness of the
        person.
    episodes : tuple of str
        Expressions of successive episodes.
    episode_slot : int
        Number of frames from the start of one episode to the start of the next.
    conditions : RecordingConditions
    """

    simulate: Callable[[np.random.Generator, int, list[str], float], Acting]
    episodes: tuple[str, ...]
    episode_slot: int
    conditions: RecordingConditions

    def episode_count(self, frames: int) -> int:
        """Return the number of expression episodes in a video of `frames` frames."""
        return max(1, frames // self.episode_slot)


@dataclass(frozen=True)
class StillStyle:
    """Style of still images.

    Attributes
    ----------
    sample : callable
        Samples one image from a random generator, the expression, and the expressiveness of the person.
    classes : tuple of str
        Expressions, equally frequent.
    conditions : RecordingConditions
    """

    sample: Callable[[np.random.Generator, str, float], Acting]
    classes: tuple[str, ...]
    conditions: RecordingConditions


VIDEO_STYLES = {
    "generic": VideoStyle(acting.simulate_acting, acting.ACTED_EXPRESSIONS, acting.EPISODE_SLOT, conditions.GENERIC),
    "spontaneous": VideoStyle(
        spontaneous.simulate_spontaneous, spontaneous.EPISODES, spontaneous.EPISODE_SLOT, conditions.WEBCAM
    ),
}
STILL_STYLES = {
    "generic": StillStyle(acting.sample_still_acting, EXPRESSIONS, conditions.GENERIC),
    "posed": StillStyle(posed.sample_posed, AFFECTNET, conditions.PHOTOGRAPH),
}
"""Styles by their names in `settings`."""
