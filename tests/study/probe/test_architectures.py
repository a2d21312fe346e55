"""Networks of torchvision, timm, transformers and Keras, built from their configs with random weights.

Each is healthy as its authors initialise it, every weight has its row, and the attenuation is that of two gradients
taken by hand. A package that is not installed is skipped; with ARCHITECTURES=required that is an error.
"""

import importlib
import os

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import harness

pytestmark = [pytest.mark.torch, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # theirs, of many kinds

CLASSES, BATCH = 10, 4


def package(name):
    """A package, or a skipped test."""
    if os.environ.get("ARCHITECTURES") == "required":
        return importlib.import_module(name)
    return pytest.importorskip(name)


def images(model, first, last):
    return model, torch.randn(BATCH, 3, 32, 32), torch.randint(0, CLASSES, (BATCH,)), F.cross_entropy, first, last


def resnet(name):
    model = getattr(package("torchvision").models, name)(weights=None, num_classes=CLASSES)
    return images(model, model.conv1, model.fc)


def vit():
    timm = package("timm")
    model = timm.create_model("vit_tiny_patch16_224", pretrained=False, img_size=32, num_classes=CLASSES, depth=6)
    return images(model, model.patch_embed.proj, model.head)


def gpt2(attention):
    transformers = package("transformers")
    sizes = {"n_layer": 6, "n_embd": 64, "n_head": 4, "vocab_size": 100, "n_positions": 32}
    config = transformers.GPT2Config(**sizes, bos_token_id=0, eos_token_id=0, attn_implementation=attention)
    model = transformers.GPT2LMHeadModel(config)
    words = torch.randint(0, 100, (BATCH, 16))
    return model, {"input_ids": words, "labels": words}, None, None, model.transformer.drop, model.lm_head


def keras_mlp():
    os.environ["KERAS_BACKEND"] = "torch"
    keras = package("keras")
    dense = [keras.layers.Dense(32, kernel_initializer="he_normal") for _ in range(4)]
    hidden = [layer for one in dense for layer in (one, keras.layers.ReLU())]
    model = keras.Sequential([keras.Input((16,)), *hidden, keras.layers.Dense(CLASSES)])
    x, y = torch.randn(BATCH, 16), torch.randint(0, CLASSES, (BATCH,))
    return model, x, y, F.cross_entropy, dense[0], model.layers[-1]


MODELS = {
    "ResNet-18": lambda: resnet("resnet18"),
    "ResNet-50": lambda: resnet("resnet50"),
    "ViT": vit,
    "GPT-2": lambda: gpt2("sdpa"),
    "GPT-2, attention in steps": lambda: gpt2("eager"),
    "Keras": keras_mlp,
}


def by_hand(model, x, y, loss, first, last):
    """Decades from ∂C/∂(result of the last weights) to that of the first, from PyTorch's own graph."""
    results = []
    handles = [m.register_forward_hook(lambda *call: results.append(call[-1])) for m in (first, last)]
    output = model(**x) if isinstance(x, dict) else model(x)
    for handle in handles:
        handle.remove()
    cost = output.loss if loss is None else loss(output, y)
    below, above = (float(g.double().norm()) for g in torch.autograd.grad(cost, results))
    return np.log10(below / above)


@pytest.mark.parametrize("name", MODELS)
def test_an_architecture_is_healthy_as_its_authors_start_it(name):
    torch.manual_seed(0)
    model, x, y, loss, first, last = MODELS[name]()
    model.eval()  # the same pass twice: without dropout, and with batch norms as they start
    report = harness.probe(model, x, y, loss, batches=1)
    assert not [one for one in report.findings if one.severity == "fault"], report
    assert "healthy" in {one.kind for one in report.findings}
    matrices = {path for path, p in model.named_parameters() if p.ndim > 1}
    tables = {path for path in matrices if path.endswith(("_token", "pos_embed"))}  # added, not multiplied
    assert matrices - tables <= set(report.layers["param"].dropna())
    attenuation = report.networks["log10_gradient_gain"][0]
    assert attenuation == pytest.approx(by_hand(model, x, y, loss, first, last), abs=1e-4)  # float32


def test_a_fault_put_into_an_architecture_is_found():
    torch.manual_seed(0)
    model, x, y, loss, *_ = resnet("resnet18")
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.constant_(module.bias, -8.0)  # of a normalised input, hardly any is above 8
    report = harness.probe(model, x, y, loss, batches=1)
    assert report.findings[0].kind in ("dead layer", "dying units"), report
