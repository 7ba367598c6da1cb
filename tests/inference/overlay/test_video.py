from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from harness.inference.overlay.canvas import rgb, text_mask
from harness.inference.overlay.frame_faces import FaceOverlay, FacesByFrame
from harness.inference.overlay.panel_placement import Area, PanelLayout
from harness.inference.overlay.panels import caption, face_color, format_signed
from harness.inference.overlay.video import Renderer, draw_faces, render_video
from harness.metrics.tasks import EXPRESSIONS
from harness.utils.plotting.style import FACE_COLORS
from harness.video.frames import Frame
from tests.helpers.prediction_results import a_reading

GROUND = 128
EIGHT = [(20 + 155 * (i % 4), 40 + 170 * (i // 4), 70, 70) for i in range(8)]


def grey(number, size=(640, 360)):
    return Frame(number, (number - 1) / 25, np.full((size[1], size[0], 3), GROUND, dtype=np.uint8))


def rendered(boxes, size=(640, 360), frames=5, **options):
    renderer = Renderer(a_reading(boxes, frames=frames, size=size, **options))
    return renderer, [renderer(grey(number, size)) for number in range(1, frames + 1)]


def changed(image):
    return (image != GROUND).any(axis=-1)


def coloured(image, face):
    return int((image == rgb(face_color(face))).all(axis=-1).sum())


@pytest.mark.parametrize(
    "size, box",
    [
        ((320, 240), (100, 60, 100, 110)),
        ((640, 360), (230, 90, 180, 180)),
        ((1920, 1080), (700, 250, 520, 520)),
        ((360, 640), (90, 180, 190, 190)),
    ],
)
def test_panel_is_next_to_the_face(size, box):
    renderer, images = rendered([box], size)
    image, scale = images[-1], renderer.enlarged
    assert image.shape[:2] == renderer.size[::-1] and image.dtype == np.uint8
    x, y, width, height = FacesByFrame(a_reading([box], frames=5, size=size))[5][0].box
    inside = changed(image)[
        round((y + 6) * scale) + 8 : round((y + height - 6) * scale) - 8,
        round((x + 6) * scale) + 8 : round((x + width - 6) * scale) - 8,
    ]
    assert not inside.any(), "the face itself is left as it is"
    assert changed(image).mean() > 0.08 and coloured(image, 1) > 100
    assert renderer.places.last[1].level == 0


def test_input_frame_is_not_modified():
    frame = grey(1)
    Renderer(a_reading([(230, 90, 180, 180)], frames=1))(frame)
    assert (frame.pixels == GROUND).all()
    draw_faces(frame.pixels, FacesByFrame(a_reading([(230, 90, 180, 180)], frames=1))[1], PanelLayout(640, 360, 12))
    assert (frame.pixels == GROUND).all()


def test_labels_of_eight_faces_do_not_cover_faces():
    renderer, images = rendered(EIGHT)
    assert all(coloured(images[-1], face) > 100 for face in range(1, 9)), "each in its own colour"
    assert len(set(FACE_COLORS)) == 8
    for x, y, width, height in EIGHT:
        assert not changed(images[-1])[y + 12 : y + height - 12, x + 12 : x + width - 12].any()


def test_panels_cover_no_face_and_no_other_panel():
    generator = np.random.default_rng(0)
    for _ in range(60):
        count = int(generator.integers(1, 6))
        boxes = [(*generator.uniform((0, 0), (560, 280)), *[generator.uniform(40, 160)] * 2) for _ in range(count)]
        reading = a_reading(boxes, frames=1)
        places = PanelLayout(640, 360, 12)
        areas = [Area(*(round(edge) for edge in (x, y, x + w, y + h))) for x, y, w, h in boxes]
        chosen = [place.area for place in places.place_panels(FacesByFrame(reading)[1], areas).values()]
        for i, area in enumerate(chosen):
            assert 0 <= area.left < area.right <= 640 and 0 <= area.top < area.bottom <= 360
            assert not any(area.overlap(other) for other in [*areas, *chosen[:i]])


def test_panel_is_stable_under_box_jitter():
    generator = np.random.default_rng(1)
    places, seen = PanelLayout(640, 360, 12), set()
    shown = FacesByFrame(a_reading([(230, 90, 180, 180)], frames=1))[1][0]
    for _ in range(50):
        x, y = 230 + generator.integers(-3, 4), 90 + generator.integers(-3, 4)
        seen.add(places.place_panels([shown], [Area(x, y, x + 180, y + 180)])[1].area)
    assert len(seen) == 1


def test_panel_follows_its_face_and_stays_on_its_side():
    places, choices, lefts = PanelLayout(1280, 720, 20), set(), []
    shown = FacesByFrame(a_reading([(230, 90, 180, 180)], frames=1))[1][0]
    for x in range(100, 700, 5):
        place = places.place_panels([shown], [Area(x, 200, x + 240, 440)])[1]
        choices.add(place.choice)
        lefts.append(place.area.left)
    assert len(choices) == 1 and lefts == sorted(lefts) and lefts[-1] > lefts[0] + 500


def test_detail_returns_after_a_delay():
    places = PanelLayout(640, 360, 12)
    one, other = FacesByFrame(a_reading([(100, 80, 120, 120), (240, 80, 120, 120)], frames=1))[1]
    areas = [Area(100, 80, 220, 200), Area(240, 80, 360, 200)]
    alone = places.place_panels([one], areas[:1])[1].level
    both = places.place_panels([one, other], areas)[1].level
    after = [places.place_panels([one], areas[:1])[1].level for _ in range(40)]
    assert alone == 0 and both > 0 and after[0] == both and after[-1] == 0
    assert after == sorted(after, reverse=True)


def test_interpolated_face_has_dashed_box():
    reading = a_reading([(230, 90, 180, 180)], frames=3, lost=[(1, 3, 3)])
    renderer = Renderer(reading)
    lines = []
    for number in (1, 2, 3):
        x, y, width, _ = FacesByFrame(reading)[number][0].box
        image = renderer(grey(number))
        lines.append((image[round(y), round(x) + 30 : round(x + width) - 4] == rgb(face_color(1))).all(axis=-1).mean())
    assert lines[0] == lines[1] == 1 and 0.3 < lines[2] < 0.7


def test_unknown_values_are_not_drawn():
    reading = a_reading([(230, 90, 180, 180)], frames=20, lost=[(1, 8, 20)], missing="empty")
    faces = FacesByFrame(reading)
    assert faces[20][0].expression is faces[20][0].trail is faces[20][0].units is None
    assert caption(faces[20][0]) == "not seen" and not faces[21] and not faces[400]
    renderer = Renderer(reading)
    images = {number: renderer(grey(number)) for number in (1, 20)}
    assert changed(images[20]).mean() < 0.3 * changed(images[1]).mean()


def test_label_comes_from_the_first_run_with_the_output():
    reading = a_reading([(230, 90, 180, 180)], frames=30, tasks=("expr", "mtl"), thresholds=(0.3,) * 12)
    first, both = (one.smoothed for one in reading.outputs)
    shown = FacesByFrame(reading)[30][0]
    assert shown.expression == pytest.approx(first[29]) and shown.trail[-1] == pytest.approx(both[29, :2])
    assert shown.units.tolist() == (both[29, 10:] >= 0.3).tolist()
    assert caption(shown) == EXPRESSIONS[first[29].argmax()]
    assert caption(dataclasses.replace(shown, expression=None)).startswith("V ")
    alone = FaceOverlay(1, shown.box, True, units=np.arange(12) < 5)
    assert (
        caption(alone) == "AU1 AU2 AU4 …" and caption(FaceOverlay(1, shown.box, True, units=np.zeros(12, bool))) == ""
    )
    assert [format_signed(value) for value in (0.123, -0.456, -0.001, 0.0)] == ["+0.12", "−0.46", "0.00", "0.00"]


def test_trail_shows_recent_values_of_the_face():
    reading = a_reading([(100, 80, 120, 120), (350, 90, 100, 100)], frames=100, tasks=("va",), rate=10.0)
    trail = FacesByFrame(reading)[60][1].trail
    own = reading.outputs[0].smoothed[reading.face == 2]
    assert trail == pytest.approx(own[45:60]) and len(FacesByFrame(reading)[3][0].trail) == 3
    for kernel, length in (("mean", 38), ("none", 1)):
        crops = FacesByFrame(a_reading([(0, 0, 9, 9)], frames=50, rate=None, kernel=kernel))
        assert len(crops[40][0].trail) == length, "crops of a video have a trail, single pictures have none"


@pytest.mark.parametrize(
    "size, box, strip",
    [
        ((360, 288), (110, 75, 150, 150), True),
        ((360, 288), (40, 75, 130, 130), False),
        ((1080, 1920), (150, 400, 780, 780), False),
        ((640, 360), (300, 150, 40, 40), False),
    ],
)
def test_large_face_has_its_panel_in_a_strip(size, box, strip):
    renderer, _ = rendered([box], size)
    assert (renderer.size[0] > renderer.picture[0]) == strip
    assert (renderer.places.last[1].area.left >= renderer.picture[0]) == strip
    assert rendered([box, box], size)[0].size == renderer.picture, "several faces share the frame"


def test_crops_have_their_panel_in_a_strip():
    renderer, _ = rendered([(0, 0, 112, 112)], (112, 112), rate=None)
    reading = a_reading([(0, 0, 112, 112)], frames=1, size=(112, 112))
    still = dataclasses.replace(reading, boxes=np.array([[0, 0, 112, 112]], dtype=np.float32))
    image = Renderer(still)(grey(1, (112, 112)))
    assert renderer.size[0] > renderer.picture[0] == 336 and image.shape[:2] == renderer.size[::-1]
    assert not changed(image[40:290, 40:290]).any() and renderer.places.last[1].level == 0


def test_frame_of_another_size_is_fitted_in_with_its_boxes():
    renderer = Renderer(a_reading([(230, 90, 180, 180)], frames=3))
    image = renderer(grey(1, (360, 360)))
    assert image.shape == (360, 640, 3)
    assert (image[:, :100] == 0).all() and (image[200, 141:180] == GROUND).all()


@pytest.mark.parametrize(
    "box", [(-40, -30, 150, 150), (590, 300, 150, 150), (-90, 100, 80, 80), (0, 0, 640, 360), (300, 100, 3, 3)]
)
def test_boxes_over_the_edge_and_tiny_ones(box):
    for lost in ((), [(1, 1, 5)]):
        rendered([box], lost=lost, without=(4,))


@pytest.mark.parametrize(
    "size, picture",
    [
        ((320, 240), (640, 480)),
        ((112, 112), (336, 336)),
        ((640, 360), (640, 360)),
        ((900, 3), (1800, 6)),
        ((2000, 100), (2000, 100)),
        ((8, 8), (320, 320)),
    ],
)
def test_small_frames_are_enlarged_within_bounds(size, picture):
    renderer, images = rendered([(1, 1, 3, 3)], size)
    assert renderer.picture == renderer.size == picture and images[-1].shape == (picture[1], picture[0], 3)


def test_text_width_grows_with_length():
    assert text_mask("Happiness", 12).shape[1] > text_mask("Anger", 12).shape[1] > 0
    assert text_mask("Anger", 24).shape[0] > text_mask("Anger", 12).shape[0] and text_mask("Anger", 12).max() > 200


def test_video_has_every_frame_at_its_time(tmp_path):
    import av

    reading = a_reading([(100, 60, 100, 110)], frames=12, size=(321, 241), without=(5, 6))
    assert render_video((grey(number, (321, 241)) for number in range(1, 13)), reading, tmp_path / "v.mp4", 25.0) == 12
    with av.open(str(tmp_path / "v.mp4")) as container:
        frames = list(container.decode(video=0))
    assert [round(frame.time * 25) for frame in frames] == list(range(12))
    first, empty = (frames[i].to_ndarray(format="rgb24").astype(int) for i in (0, 5))
    assert (np.abs(first - GROUND).max(axis=-1) > 40).mean() > 0.1, "box and panel"
    assert np.abs(empty[:480, :640] - GROUND).max() < 12, "a frame without a face is as it was"


def test_failed_video_leaves_no_file(tmp_path):
    def broken():
        yield grey(1)
        raise RuntimeError("lost")

    with pytest.raises(RuntimeError):
        render_video(broken(), a_reading([(230, 90, 180, 180)], frames=2), tmp_path / "v.mp4", 25.0)
    assert not list(tmp_path.iterdir())
