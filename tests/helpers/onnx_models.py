"""ONNX files: a small timm network written by torch's exporter, and graphs of a few nodes."""

import numpy as np
import onnx
import timm
import torch
from onnx import numpy_helper

SIZE = 64


class Both(torch.nn.Module):
    """A timm network that gives its embedding and its scores."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, pixels):
        features = self.network.forward_features(pixels)
        return self.network.forward_head(features, pre_logits=True), self.network.forward_head(features)


def timm_network():
    torch.manual_seed(0)
    return timm.create_model("test_resnet", num_classes=8).eval()


def export(module, batch, outputs, dynamic):
    """The exporter's program of a module; dynamic: any number of pictures, else `batch` of them."""
    shapes = ({0: torch.export.Dim("batch")},) if dynamic else None
    return torch.onnx.export(
        module.eval(),
        (torch.randn(batch, 3, SIZE, SIZE),),
        dynamo=True,
        dynamic_shapes=shapes,
        input_names=["input"],
        output_names=outputs,
        verbose=False,
    )


def written(path, text):
    """A model of one graph in ONNX's textual form, its weights inside, as a file."""
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]>\n{text}')
    path.parent.mkdir(exist_ok=True)
    onnx.save(model, path)
    return path


def pooled(path, outputs, pixels="float[N,3,8,8] x"):
    """Outputs {name: width}, each the average colour [N, 3] times a matrix of ones."""
    makers, ends = [], []
    for name, width in outputs.items():
        makers.append(
            f"shape_{name} = Constant <value = int64[2] {{3, {width}}}> () "
            f"ones_{name} = ConstantOfShape <value = float[1] {{1.0}}> (shape_{name}) "
            f"{name} = MatMul (mean, ones_{name})"
        )
        ends.append(f"float[N,{width}] {name}")
    mean = "mean = ReduceMean <axes = [2, 3], keepdims = 0> (x)"
    return written(path, f"g ({pixels}) => ({', '.join(ends)}) {{ {mean} {' '.join(makers)} }}")


def tensor(name, *shape):
    values = np.random.default_rng(len(name)).normal(0.3, 0.4, shape).astype(np.float32)
    return numpy_helper.from_array(np.abs(values) if name == "variance" else values, name)


def mobile(path, padding="SAME_UPPER", pixels="float[N,3,16,16] x"):
    """A network as in TensorFlow's graphs: padding by name, batch normalization folded into products and sums."""
    written(
        path,
        f"""g ({pixels}) => (float[N,6] embedding) {{
            low = Constant <value = float {{0.0}}> ()
            high = Constant <value = float {{6.0}}> ()
            first = Conv <auto_pad = "{padding}", kernel_shape = [3, 3], strides = [2, 2]> (x, conv_weight)
            shifted = Add (first, shift)
            active = Relu (shifted)
            capped = Min (active, high)
            raised = Max (capped, low)
            deep = Conv <auto_pad = "{padding}", kernel_shape = [3, 3], group = 4> (raised, deep_weight)
            scaled = Mul (deep, scale)
            normal = BatchNormalization <epsilon = 0.001> (scaled, gamma, beta, mean, variance)
            pooled = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (normal)
            gated = HardSigmoid (pooled)
            last = Conv <kernel_shape = [1, 1]> (gated, last_weight, last_bias)
            embedding = ReduceMean <axes = [2, 3], keepdims = 0> (last) }}""",
    )
    model = onnx.load(path)
    shapes = {
        "conv_weight": (4, 3, 3, 3),
        "shift": (1, 4, 1, 1),
        "deep_weight": (4, 1, 3, 3),
        "scale": (1, 4, 1, 1),
        **dict.fromkeys(("gamma", "beta", "mean", "variance"), (4,)),
        "last_weight": (6, 4, 1, 1),
        "last_bias": (6,),
    }
    model.graph.initializer.extend(tensor(name, *shape) for name, shape in shapes.items())
    onnx.save(model, path)
    return path
