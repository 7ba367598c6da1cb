import numpy as np

from harness.video.faces.boxes import merge_overlapping


def test_duplicate_boxes_are_dropped_and_faces_sorted():
    boxes = [[200, 50, 80, 80], [10, 10, 100, 100], [15, 12, 96, 100], [40, 40, 30, 30]]
    faces = merge_overlapping(boxes, [1.0, 3.0, 2.0, 9.0], [4, 5, 6, 7])
    assert faces.boxes.tolist() == [[10, 10, 100, 100], [200, 50, 80, 80]]
    assert faces.scores.tolist() == [3, 1] and faces.hints.tolist() == [5, 4]
    assert faces.boxes.dtype == faces.scores.dtype == np.float32


def test_touching_neighbors_are_separate():
    assert len(merge_overlapping([[0, 0, 100, 100], [70, 0, 100, 100]], [1, 1])) == 2


def test_no_boxes():
    faces = merge_overlapping(np.empty((0, 4)), np.empty(0))
    assert len(faces) == 0 and faces.boxes.shape == (0, 4) and faces.hints is None
