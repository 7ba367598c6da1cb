"""Run by itself, with another release of a library on its path: writes networks as people do, and what they compute.

writer.py FOLDER RELEASE FILE...: FOLDER/<file> and FOLDER/<file>.npz with the embedding and the scores of
`pictures(size)` for each of these files of the release.
"""

import collections.abc
import sys
import types

import numpy as np
import torch
from torch import nn


def needs_of_old_releases():
    """timm before 0.9 imports a module that torch has left out since."""
    six = types.ModuleType("torch._six")
    six.container_abcs, six.string_classes, six.int_classes, six.inf = collections.abc, (str,), int, float("inf")
    sys.modules.setdefault("torch._six", six)


def settle(network):
    """Weights and batch statistics that depend on the seed alone, far from those of a fresh network."""
    generator = torch.Generator().manual_seed(3)
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point():
            noise = torch.rand(tensor.shape, generator=generator)
            tensor.copy_(0.5 + noise if name.endswith("running_var") else tensor + 0.05 * (noise - 0.5))
    return network.eval()


def pictures(size):
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(11))


FILES = {
    "timm==0.4.5": {
        "enet_b0_8.pt": ("timm", "tf_efficientnet_b0_ns", 8, 224, "sequential"),
        "mobilenet.pt": ("timm", "mobilenetv3_large_100", 5, 224, "linear"),
    },
    "timm": {
        "enet_b0_7_va.pt": ("timm", "tf_efficientnet_b0", 9, 224, "linear"),
        "small.legacy": ("timm", "mobilenetv2_100", 8, 224, "sequential"),
        "padded.pt": ("timm", "efficientnet_b0", 8, 224, "linear"),
        "softmax.pt": ("timm", "mobilenetv2_100", 8, 224, "softmax"),
        "small.pt": ("timm", "mobilenetv2_100", 8, 224, "linear"),
        "pooled.pt": ("timm", "mobilenetv2_100", 8, 224, "pool:max"),
    },
    "emotiefflib==1.1.1": {
        "mbf_va_mtl.pt": ("mobilefacenet", "attribute"),
        "mbf_sequential.pt": ("mobilefacenet", "sequential"),
    },
}
"""By release, `timm` alone being this environment's: files and how their networks are made; a file ending in `.legacy`
is written in torch's older format."""
SLOW_FILES = {
    "timm==0.4.12": {"enet_b0_8_va_mtl.pt": ("timm", "tf_efficientnet_b0_ns", 10, 224, "linear")},
    "timm==0.6.13": {
        "enet_b2_7.pt": ("timm", "tf_efficientnet_b2_ns", 7, 260, "linear"),
        "padded.pt": ("timm", "efficientnet_b0", 8, 224, "linear"),
    },
    "timm==0.9.16": {
        "enet_b2_8.pt": ("timm", "tf_efficientnet_b2_ns", 8, 260, "sequential"),
        "mobilevit_va_mtl.pt": ("timm", "mobilevitv2_150", 10, 224, "linear"),
        "vit_8.pt": ("timm", "vit_tiny_patch16_224", 8, 224, "linear"),
    },
}
"""Those that only tests marked as slow read."""


def timm_network(model, classes, size, form):
    import timm

    options = {"global_pool": form.partition(":")[2]} if form.startswith("pool:") else {}
    network = timm.create_model(model, num_classes=classes, **options)
    if form in ("sequential", "softmax"):
        network.classifier = nn.Sequential(network.classifier, *[nn.Softmax(1)] * (form == "softmax"))
    return settle(network), *computed(network, size)


def computed(network, size):
    """Inputs of the last linear layer, and outputs of the network."""
    seen = []
    last = [layer for layer in network.modules() if isinstance(layer, nn.Linear)][-1]
    hook = last.register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        scores = network(pictures(size))
    hook.remove()
    return seen[0], scores


def mobilefacenet(form):
    """EmotiEffLib applies `fc` to the output of its MobileFaceNet."""
    from mobilefacenet import MobileFaceNet

    network, last = settle(MobileFaceNet()), settle(nn.Linear(512, 10))
    whole = nn.Sequential(collections.OrderedDict(face=network, fc=last)).eval()
    outputs = computed(whole, 112)
    if form == "sequential":
        return whole, *outputs
    network.fc = last
    return network, *outputs


def main(folder, release, *names):
    if "==" in release:
        needs_of_old_releases()
    for name in names:
        kind, *arguments = {**FILES.get(release, {}), **SLOW_FILES.get(release, {})}[name]
        torch.manual_seed(0)
        network, embedding, scores = {"timm": timm_network, "mobilefacenet": mobilefacenet}[kind](*arguments)
        torch.save(network, f"{folder}/{name}", _use_new_zipfile_serialization=not name.endswith(".legacy"))
        np.savez(f"{folder}/{name}.npz", embedding=embedding.numpy(), scores=scores.numpy())


if __name__ == "__main__":
    main(*sys.argv[1:])
