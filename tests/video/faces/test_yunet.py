"""YuNet on a graph with the same inputs and outputs that detects bright squares; see also test_yunet_package.py."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness.utils.errors import InputError
from harness.video.faces.detector import open_detector

STRIDES = (8, 16, 32)


def write_model(path, drop=(), size=320, landmark=0.0):
    """Brightness is the score of each cell, and times `landmark` its last landmark; boxes are the cells."""
    nodes, outputs = [], []
    fixed = {
        "grey": np.full((1, 3, 1, 1), 1 / 3 / 255, np.float32),
        "column": np.array([1, -1, 1]),
        "nothing": np.float32([0]),
        "landmark": np.float32([landmark]),
    }
    nodes.append(helper.make_node("Conv", ["input", "grey"], ["light"]))
    for stride in STRIDES:
        nodes += [
            helper.make_node(
                "AveragePool", ["light"], [f"mean_{stride}"], kernel_shape=[stride] * 2, strides=[stride] * 2
            ),
            helper.make_node("Reshape", [f"mean_{stride}", "column"], [f"cls_{stride}"]),
            helper.make_node("Identity", [f"cls_{stride}"], [f"obj_{stride}"]),
            helper.make_node("Mul", [f"cls_{stride}", "nothing"], [f"zero_{stride}"]),
            helper.make_node("Concat", [f"zero_{stride}"] * 4, [f"bbox_{stride}"], axis=2),
            helper.make_node("Mul", [f"cls_{stride}", "landmark"], [f"place_{stride}"]),
            helper.make_node("Concat", [f"zero_{stride}"] * 9 + [f"place_{stride}"], [f"kps_{stride}"], axis=2),
        ]
        outputs += [
            helper.make_tensor_value_info(f"{name}_{stride}", TensorProto.FLOAT, [1, None, width])
            for name, width in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10))
            if name not in drop
        ]
    graph = helper.make_graph(
        nodes,
        "yunet",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, size, size])],
        outputs,
        [numpy_helper.from_array(value, name) for name, value in fixed.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8)
    onnx.save(model, path)
    return str(path)


@pytest.fixture
def model(tmp_path):
    return write_model(tmp_path / "yunet.onnx")


def test_user_model_finds_faces(model):
    pixels = np.zeros((200, 330, 3), np.uint8)
    pixels[96:128, 160:192] = 255
    detector = open_detector(model)
    faces = detector(pixels, np.empty((0, 5), np.float32), 3)
    assert len(faces) and faces.scores.max() == pytest.approx(1, abs=0.01)
    centres = faces.boxes[:, :2] + faces.boxes[:, 2:] / 2
    assert (np.abs(centres - (176, 112)) <= 24).all() and set(faces.boxes[:, 2]) <= {8.0, 16.0, 32.0}
    assert len(detector(np.zeros((200, 330, 3), np.uint8))) == 0
    assert len(open_detector(model, 64)(pixels)) == 0


@pytest.mark.parametrize("landmark", [np.nan, np.inf])
def test_faces_without_finite_landmarks_are_dropped(tmp_path, landmark):
    pixels = np.zeros((200, 330, 3), np.uint8)
    pixels[96:128, 160:192] = 255
    assert len(open_detector(write_model(tmp_path / "a.onnx", landmark=0.5))(pixels))
    assert len(open_detector(write_model(tmp_path / "b.onnx", landmark=landmark))(pixels)) == 0


def test_input_of_fixed_and_of_variable_size_agree(model, tmp_path):
    pixels = np.zeros((200, 330, 3), np.uint8)
    pixels[96:128, 160:192] = 255
    fixed, variable = open_detector(model)(pixels), open_detector(write_model(tmp_path / "v.onnx", size=None))(pixels)
    np.testing.assert_array_equal(fixed.boxes, variable.boxes)
    assert fixed.landmarks.shape == (len(fixed), 5, 2)


def test_large_frame_is_shrunk_to_the_smallest_face(model):
    pixels = np.zeros((600, 900, 3), np.uint8)
    pixels[200:320, 300:420] = 255
    detector = open_detector(model)
    assert detector.smallest_side(900, 600) == 50 and open_detector(model, 100).smallest_side(900, 600) == 100
    cells, large_cells = np.array([8, 16, 32]) * 50 / 24, np.array([8, 16, 32]) * 100 / 24  # sides in the frame
    assert {round(side, 1) for side in detector(pixels).boxes[:, 2].tolist()} <= set(cells.round(1))
    assert {round(side, 1) for side in open_detector(model, 100)(pixels).boxes[:, 2].tolist()} <= {133.3}
    assert large_cells[2].round(1) == 133.3


def test_model_itself_is_in_the_identity(model, tmp_path):
    other = write_model(tmp_path / "other.onnx")
    assert open_detector(model).identity == open_detector(other).identity
    with open(other, "ab") as file:
        file.write(onnx.ModelProto(doc_string="another").SerializeToString())
    assert open_detector(model).identity != open_detector(other).identity
    assert open_detector(model).identity != open_detector(model, 50).identity


def test_invalid_model_is_rejected(tmp_path):
    with pytest.raises(InputError, match="cannot be read: No such file"):
        open_detector(str(tmp_path / "none.onnx"))
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        (tmp_path / "folder.onnx").mkdir()
        open_detector(str(tmp_path / "folder.onnx"))
    for content in (b"", b"no network at all"):
        (tmp_path / "text.onnx").write_bytes(content)
        with pytest.raises(InputError, match="is not a YuNet model"):
            open_detector(str(tmp_path / "text.onnx"))
    with pytest.raises(InputError, match="is not a YuNet model"):
        open_detector(write_model(tmp_path / "classes.onnx", drop=("bbox", "kps")))


@pytest.mark.parametrize("name", ["harr", "yunett", "model.pt"])
def test_unknown_detector_raises(name):
    with pytest.raises(InputError, match="unknown detector"):
        open_detector(name)
