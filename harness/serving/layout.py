"""Names that are agreed on between who logs models and who fetches them."""

from __future__ import annotations

from pathlib import Path

FILE, CARD, EXAMPLE = "model-float32.onnx", "card.json", "example.py"
"""What of an export's folder goes into a model."""
FOLDER = "data/export"
"""Where that folder lies among the files of a model."""
LOADER = Path(__file__).with_name("framelight_onnx.py")
"""What MLflow loads a model with; importing it takes onnxruntime."""
SHA256, MODEL = "framelight.sha256", "framelight.model_id"
"""Tags of a version: the hash of its model file, and MLflow's id of the logged model that it is of."""
CHAMPION = "champion"
