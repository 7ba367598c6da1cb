"""Progress of several videos, as the bar shows it."""

from harness.inference.cropping.shared_progress import SharedProgress
from harness.utils.progress import Progress


class Shown(Progress):
    """Bar that remembers what it shows."""

    def __init__(self):
        super().__init__("videos", "MB")
        self.megabytes, self.text = 0, ""

    def __call__(self, done, total, *_):
        self.megabytes = done

    def set_postfix(self, text):
        self.text = text


def test_video_is_finished_only_when_its_crops_are_complete():
    """The number of frames can be wrong or unknown."""
    with SharedProgress([200_000_000, 100_000_000]) as shared:
        bar, wrong, unknown = Shown(), shared.counter(0), shared.counter(1)

        def shown():
            shared.show(bar)
            return bar.megabytes, bar.text

        wrong(10, 40)
        unknown(10, None)
        assert shown() == (50, "0 of 2 videos")
        wrong(100, 40)
        assert shown()[0] < 200 and bar.text == "0 of 2 videos"
        unknown.finish()
        assert 200 <= shown()[0] < 300 and bar.text == "1 of 2 videos"
        wrong.finish()
        assert shown() == (300, "2 of 2 videos")
