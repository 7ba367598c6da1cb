"""Faces in CSV files of other programs."""

import numpy as np
import pytest

from harness.utils.errors import InputError
from harness.video.faces.alignment import FivePointAlignment
from harness.video.faces.given_faces import GivenFaces

SIZE = (640, 360)


@pytest.fixture
def given(tmp_path):
    """Read the faces of a text."""

    def read(text):
        path = tmp_path / "faces.csv"
        path.write_text(text)
        return GivenFaces(path)

    return read


def boxes(faces, frame, size=SIZE):
    return faces.in_frame(frame, size).boxes.tolist()


def test_py_feat_counts_frames_from_0(given):
    """Rows without a face are empty or NaN; faces of a frame are ordered from left to right."""
    faces = given(
        ",frame,FaceRectX,FaceRectY,FaceRectWidth,FaceRectHeight,FaceScore,AU01\n"
        "0,0.0,300,20,50,60,0.9,0.1\n1,0.0,100,30,40,44,0.8,0.2\n2,1.0,nan,nan,nan,nan,nan,nan\n3,2.0,10,11,12,13,,\n"
    )
    assert boxes(faces, 1) == [[100, 30, 40, 44], [300, 20, 50, 60]]
    assert faces.in_frame(1, SIZE).scores.tolist() == pytest.approx([0.8, 0.9])
    assert boxes(faces, 2) == [] and boxes(faces, 3) == [[10, 11, 12, 13]] and boxes(faces, 4) == []
    assert faces.notes == (f"{faces.path} counts frames from 0",) and faces.ids is None and not faces.has_landmarks


def points(shift=0.0):
    """68 points on a circle of radius 50 around (200, 100); those of eyes, nose and mouth at fixed places."""
    angles = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    places = np.column_stack([200 + 50 * np.cos(angles), 100 + 50 * np.sin(angles)])
    places[36:42], places[42:48], places[30], places[48], places[54] = (
        (180, 90),
        (220, 90),
        (200, 105),
        (185, 125),
        (215, 125),
    )
    return places + (shift, 0)


def openface(rows, extra=""):
    """The text of OpenFace: names begin with a blank, X_0 and so on are positions in space."""
    names = ["frame", " face_id", " timestamp", " confidence", " success"]
    names += [f" {axis}_{number}" for axis in "XYZ" for number in range(68)]
    names += [f" {axis}_{number}" for axis in "xy" for number in range(68)]
    lines = [",".join(names)]
    for frame, face, success, places in rows:
        space = [-7.5] * (3 * 68)
        numbers = [frame, face, 0.04, 0.98, success, *space, *places[:, 0], *places[:, 1]]
        lines.append(", ".join(map(str, numbers)))
    return "\n".join(lines) + extra + "\n"


def test_openface_landmarks_give_boxes_and_alignment(given):
    faces = given(openface([(1, 0, 1, points()), (2, 0, 0, np.zeros((68, 2))), (3, 0, 1, points(30))]))
    first, third = faces.in_frame(1, SIZE), faces.in_frame(3, SIZE)
    assert faces.has_landmarks and boxes(faces, 2) == []
    assert first.landmarks[0].tolist() == [[180, 90], [220, 90], [200, 105], [185, 125], [215, 125]]
    x, y, width, height = first.boxes[0]
    assert x < 180 and x + width > 220 and y < 90 and y + height > 125 and width > 60
    assert third.boxes - first.boxes == pytest.approx(np.array([[30, 0, 0, 0]]))
    assert first.scores.tolist() == pytest.approx([0.98]) and faces.ids_in_frame(1).tolist() == [1]


def test_box_of_landmarks_does_not_depend_on_a_tilt():
    from harness.video.faces.given_faces_csv import box_of_landmarks

    upright = np.array([[(180, 90), (220, 90), (200, 105), (185, 125), (215, 125)]], float)
    larger = 2 * upright + (7, -9)
    box, double = box_of_landmarks(upright)[0], box_of_landmarks(larger)[0]
    assert double == pytest.approx(box * 2 + (7, -9, 0, 0))


@pytest.mark.parametrize(
    "header, ids",
    [
        ("frame,x,y,width,height", None),
        ("Frame,X,Y,Width,Height", None),
        ("frame;xmin;ymin;width;height", None),
        ("frame_number\tleft\ttop\tw\th", None),
        ("frame,x,y,width,height,face_id", [1, 2, 1]),
        ("frame,x,y,width,height,Track ID", [1, 2, 1]),
        ("frame,x,y,width,height,face,score", [1, 2, 1]),
    ],
)
def test_generic_columns_in_any_case(given, header, ids):
    separator = next(mark for mark in ",;\t" if mark in header)
    rows = [[1, 10, 20, 30, 40, 7, 0.5], [1, 110, 20, 30, 40, 9, 0.6], [3, 15, 20, 30, 40, 7, 0.7]]
    width = len(header.split(separator))
    faces = given("\n".join([header, *(separator.join(map(str, row[:width])) for row in rows)]))
    assert boxes(faces, 1) == [[10, 20, 30, 40], [110, 20, 30, 40]] and boxes(faces, 3) == [[15, 20, 30, 40]]
    assert (None if faces.ids is None else faces.ids.tolist()) == ids and faces.notes == ()
    assert np.isnan(faces.in_frame(1, SIZE).scores).all() == ("score" not in header)


@pytest.mark.parametrize(
    "header",
    [
        "frame,x1,y1,x2,y2",
        "frame;X_min;Y_min;X_max;Y_max",
        "frame,left,top,right,bottom",
        "frame,xmin,ymin,xmax,ymax,width,height",
        "frame,x_1,y_1,x_2,y_2,w,h,face_id",
    ],
)
def test_boxes_by_their_edges(given, header):
    """Width and height beside edges can be those of the frame."""
    separator = ";" if ";" in header else ","
    rows = [[1, 10, 20, 40, 60, 640, 360, 1], [3, 15.5, 20, 45, 60.25, 640, 360, 1]]
    width = len(header.split(separator))
    faces = given("\n".join([header, *(separator.join(map(str, row[:width])) for row in rows)]))
    assert boxes(faces, 1) == [[10, 20, 30, 40]] and boxes(faces, 3) == [[15.5, 20, 29.5, 40.25]]


def test_columns_x_and_y_with_a_size_are_the_box(given):
    """Detectors also name the eyes x1, y1, x2, y2."""
    faces = given("frame,x,y,w,h,x1,y1,x2,y2\n1,10,20,30,40,18,30,32,30\n")
    assert boxes(faces, 1) == [[10, 20, 30, 40]]


def test_rows_without_edges_have_no_face(given):
    faces = given("frame,xmin,ymin,xmax,ymax\n1,,,,\n2,1,2,4,6\n")
    assert boxes(faces, 1) == [] and boxes(faces, 2) == [[1, 2, 3, 4]]


def test_relative_edges_are_scaled_to_the_frame(given):
    faces = given("frame,xmin,ymin,xmax,ymax\n1,0.25,0.5,0.375,0.75\n2,-0.5,0.875,0.5,1.125\n")
    assert boxes(faces, 1) == [[160, 180, 80, 90]] and boxes(faces, 2) == [[-320, 315, 640, 90]]


def test_frame_0_shifts_all_frames(given):
    faces = given("frame,x,y,width,height\n0,1,2,3,4\n5,6,7,8,9\n")
    assert boxes(faces, 1) == [[1, 2, 3, 4]] and boxes(faces, 6) == [[6, 7, 8, 9]] and len(faces.notes) == 1


def test_relative_boxes_of_mediapipe_are_scaled_to_the_frame(given):
    faces = given("frame,xmin,ymin,width,height,score\n1,0.25,0.5,0.125,0.25,0.9\n2,-0.05,0,0.1,0.2,0.9\n")
    assert boxes(faces, 1) == [[160, 180, 80, 90]] and boxes(faces, 1, (64, 36)) == [[16, 18, 8, 9]]
    assert boxes(faces, 2)[0] == pytest.approx([-32, 0, 64, 72])


def test_predictions_of_framelight_are_read(given):
    """Frames in which the face was not found have interpolated outputs, and no box."""
    rows = ("1,0,1,1,5,6,7,8,2.5", "2,.04,1,0,5,6,7,8,", "3,,,0,,,,,")
    faces = given("\n".join(["frame,time,face,found,x,y,width,height,detection", *rows]))
    assert boxes(faces, 1) == [[5, 6, 7, 8]] and boxes(faces, 2) == boxes(faces, 3) == []
    assert faces.in_frame(1, SIZE).scores.tolist() == [2.5]


def test_ids_are_numbered_in_their_order(given):
    numbers = given("frame,x,y,width,height,id\n1,1,1,2,2,10\n1,9,1,2,2,-1\n2,1,1,2,2,2\n")
    assert numbers.ids.tolist() == [3, 1, 2] and numbers.id_count == 3
    words = given("frame,x,y,width,height,person\n1,1,1,2,2,Bo\n1,9,1,2,2,Al\n")
    assert words.ids_in_frame(1).tolist() == [2, 1]
    texts = ["nan", "2", "1.0", "NaN", "b", "1", "1.00", "a"]
    lines = [f"1,{column},1,2,2,{text}" for column, text in enumerate(texts, 1)]
    mixed = given("\n".join(["frame,x,y,width,height,id", *lines, ""]))
    assert [texts[i] for i in np.argsort(mixed.ids)] == ["1", "1.0", "1.00", "2", "NaN", "a", "b", "nan"]


@pytest.mark.parametrize(
    "text, said",
    [
        ("frame,x,y,width\n1,2,3,4\n", r"faces.csv:1: no column height; known forms: frame with FaceRectX"),
        ("x,y,width,height\n1,2,3,4\n", r"faces.csv:1: no column frame"),
        ("frame,x,y,width,height\n1,2,3,4,5\n2,a,3,4,5\n", r"faces.csv:3: x is 'a', not a number; correct or remove"),
        ("frame,x,y,width,height\n1,2,3,4,5\n2,2,,4,5\n", r"faces.csv:3: y is '', not a number"),
        ("frame,x,y,width,height\n1,2,inf,4,5\n", r"faces.csv:2: y is 'inf', not a number"),
        ("frame,x,y,width,height\n1,2,3,0,5\n", r"faces.csv:2: width is '0', not above 0"),
        ("frame,x,y,width,height\n1,2,3,4,-5\n", r"faces.csv:2: height is '-5', not above 0"),
        ("frame,x,y,width,height\n1.5,2,3,4,5\n", r"faces.csv:2: frame is '1.5', not the number of a frame"),
        ("frame,x,y,width,height\n-1,2,3,4,5\n", r"faces.csv:2: frame is '-1', not the number of a frame"),
        ("frame,x,y,width,height\n,2,3,4,5\n", r"faces.csv:2: frame is '', not the number of a frame"),
        ("frame,x,y,width,height\none,2,3,4,5\n", r"faces.csv:2: frame is 'one', not a number"),
        ("frame,x,y,width,height\n1e30,2,3,4,5\n", r"faces.csv:2: frame is '1e30', not the number of a frame"),
        ("frame,x,y,width,height\n1,1e308,3,4,5\n", r"faces.csv:2: x is '1e308', not a position in a frame"),
        ("frame,x,y,width,height\n1_0,2,3,4,5\n", r"faces.csv:2: frame is '1_0', not a number"),
        ("frame,x,y,width,height,score\n1,2,3,4,5,NaN\n2,2,3,4,5,abc\n", r"faces.csv:3: score is 'abc', not a number"),
        ("frame,x,y,width,height\n1,2,3\n", r"faces.csv:2: 3 columns, but the header has 5"),
        ("frame,x,y,width,height\n1,,,,\n", r"faces.csv: no row has a face"),
        ("frame,x,y,width,height\n", r"faces.csv: no row has a face"),
        ("frame,x,y,width,height,id\n1,2,3,4,5,1\n1,9,3,4,5,1\n", r"faces.csv:3: id is '1', the id of two faces"),
        ("frame,x,y,width,height,id\n1,2,3,4,5,\n", r"faces.csv:2: id is '', not the id of a face"),
        ("frame,FaceRectX,FaceRectY,FaceRectWidth,FaceRectHeight\n0,1,1,0,1\n", r":2: FaceRectWidth is '0', not above"),
        ("frame,x_0,y_0\n1,2,3\n", r"faces.csv:1: no column x_1"),
        ("frame,x1,y1,x2,y2\n1,2,3,4,5\n2,4,3,2,5\n", r"faces.csv:3: x2 is '2', not above x1; correct or remove"),
        ("frame,x1,y1,x2,y2\n1,2,3,4,3\n", r"faces.csv:2: y2 is '3', not above y1"),
        ("frame,left,Top,right,Bottom\n1,2,5,4,3\n", r"faces.csv:2: Bottom is '3', not above Top"),
        ("frame,x1,y1,x2,y2\n1,2,3,,5\n", r"faces.csv:2: x2 is '', not a number"),
        ("frame,x1,y1,x2\n1,2,3,4\n", r"faces.csv:1: no column y2; known forms: .* or x1, y1, x2, y2"),
        ("frame,X_0,Y_0,Z_0,X_1,Y_1,X_2,Y_2\n1,2,3,4,5,6,7,8\n", r"faces.csv:1: no column x; known forms"),
    ],
)
def test_invalid_file_is_reported_with_its_line(given, text, said):
    with pytest.raises(InputError, match=said):
        given(text)


def test_equal_landmarks_are_reported(given):
    with pytest.raises(InputError, match=r"faces.csv:2: frame is '1', a frame whose landmarks are all equal"):
        given(openface([(1, 0, 1, np.full((68, 2), 9.0))]))


def py_feat(rows):
    """The text of py-feat: each row has a frame, a box and landmarks, or empty cells in place of the landmarks."""
    names = ["frame", "FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight"]
    names += [f"{axis}_{number}" for axis in "xy" for number in range(68)]
    lines = [",".join(names)]
    for frame, places in rows:
        cells = [""] * 136 if places is None else [*places[:, 0], *places[:, 1]]
        lines.append(",".join(map(str, [frame, 150, 50, 100, 100, *cells])))
    return "\n".join(lines) + "\n"


def test_landmarks_of_py_feat(given):
    faces = given(py_feat([(0, points()), (1, points(10))]))
    assert faces.has_landmarks and faces.in_frame(2, SIZE).landmarks[0][0].tolist() == [190, 90]
    assert not given(py_feat([(0, None), (1, None)])).has_landmarks


@pytest.mark.parametrize(
    "places, said",
    [
        (points() * 1e30, "faces.csv:3: x_0 is .*, not a position in a frame"),
        (np.zeros((68, 2)), "faces.csv:3: frame is '1', a frame whose landmarks are all equal"),
        (None, "faces.csv:3: x_0 is '', of a face without all landmarks, but other faces have them"),
    ],
)
def test_face_without_landmarks_among_others_is_reported(given, places, said):
    with pytest.raises(InputError, match=said):
        given(py_feat([(0, points()), (1, places)]))


@pytest.mark.parametrize("distance, valid", [(1e-4, False), (0.1, True)])
def test_coinciding_landmarks_are_reported(given, distance, valid):
    """Landmarks that differ, but by too little for alignment."""
    places = np.full((68, 2), 200.0)
    places[30] += distance
    faces = given(py_feat([(0, points()), (1, places)]))
    assert len(faces.in_frame(1, SIZE)) == 1
    if valid:
        crops = FivePointAlignment().cut(np.zeros((360, 640, 3), np.uint8), faces.in_frame(2, SIZE), 112)
        assert [crop.shape for crop in crops] == [(112, 112, 3)]
    else:
        with pytest.raises(InputError, match="faces.csv:3: the landmarks of this face coincide"):
            faces.in_frame(2, SIZE)


def test_relative_landmarks_are_scaled_to_the_frame(given):
    faces = given(openface([(1, 0, 1, points() / SIZE)]))
    assert np.allclose(faces.in_frame(1, SIZE).landmarks[0], points()[[36, 42, 30, 48, 54]], atol=0.01)


def test_missing_file_is_reported(tmp_path):
    with pytest.raises(InputError, match="none.csv"):
        GivenFaces(tmp_path / "none.csv")


def test_face_outside_of_the_frame_is_reported(given):
    faces = given("frame,x,y,width,height\n1,600,300,100,100\n2,700,20,30,30\n3,5,-40,20,30\n")
    assert boxes(faces, 1) == [[600, 300, 100, 100]]
    for frame in (2, 3):
        with pytest.raises(InputError, match=rf"faces.csv:{frame + 1}: this face is outside of frame {frame}"):
            faces.in_frame(frame, SIZE)


def test_face_far_larger_than_the_frame_is_reported(given):
    faces = given("frame,x,y,width,height\n1,1,1,900000,900000\n")
    with pytest.raises(InputError, match="faces.csv:2: this face is outside of frame 1, .* or far larger than it"):
        faces.in_frame(1, SIZE)


def test_frames_of_another_video_are_reported(given):
    faces = given("frame,x,y,width,height\n5,1,2,3,4\n9,1,2,3,4\n")
    assert faces.require_frames(np.arange(1, 10), "a.mp4") == ()
    (note,) = faces.require_frames(np.arange(1, 6), "a.mp4")
    assert "1 of 2 faces" in note and "that a.mp4 does not have (the last: 9)" in note
    with pytest.raises(InputError, match="its faces are in frames 5 to 9, and a.mp4 has none of them"):
        faces.require_frames(np.arange(1, 5), "a.mp4")


def test_identity_depends_on_the_content(given):
    first = given("frame,x,y,width,height\n1,1,2,3,4\n").identity
    assert given("frame,x,y,width,height\n1,1,2,3,4\n").identity == first
    assert given("frame,x,y,width,height\n1,1,2,3,5\n").identity != first
