"""Models with a known fault, or none, and the batch and the loss that show it. Needs PyTorch."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

BATCH, INPUTS, CLASSES, WIDTH = 48, 48, 10, 64


def he(layer):
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)


def xavier(layer):
    nn.init.xavier_normal_(layer.weight)
    nn.init.zeros_(layer.bias)


def normal(std):
    def init(layer):
        nn.init.normal_(layer.weight, std=std)
        nn.init.zeros_(layer.bias)

    return init


def scaled_he(scale):
    def init(layer):
        he(layer)
        layer.weight.data.mul_(scale)

    return init


def framework_default(layer):
    pass


def mlp(depth, activation=nn.ReLU, init=framework_default, norm=None, width=WIDTH):
    layers, fan_in = [], INPUTS
    for _ in range(depth - 1):
        layers += [nn.Linear(fan_in, width), *([norm(width)] if norm else []), activation()]
        init(layers[-2 - bool(norm)])
        fan_in = width
    layers.append(nn.Linear(fan_in, CLASSES))
    init(layers[-1])
    return nn.Sequential(*layers)


def classes():
    """Ten noisy prototypes: x (BATCH, INPUTS) standardised, y their classes."""
    y = torch.randint(0, CLASSES, (BATCH,))
    x = torch.randn(CLASSES, INPUTS)[y] + 0.8 * torch.randn(BATCH, INPUTS)
    return (x - x.mean()) / x.std(), y


class Residual(nn.Module):
    """x + branch(x), blocks times, without a norm."""

    def __init__(self, blocks, zero=False):
        super().__init__()
        self.bottom, self.top = nn.Linear(INPUTS, WIDTH), nn.Linear(WIDTH, CLASSES)
        he(self.bottom)
        self.blocks = nn.ModuleList()
        for _ in range(blocks):
            block = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH))
            he(block[0])
            he(block[2])
            if zero:
                nn.init.zeros_(block[2].weight)
            self.blocks.append(block)

    def forward(self, x):
        x = self.bottom(x)
        for block in self.blocks:
            x = x + block(x)
        return self.top(F.relu(x))


class Towers(nn.Module):
    """Networks beside each other on the same inputs, and a linear layer on all of their outputs."""

    def __init__(self, *towers):
        super().__init__()
        self.towers, self.top = nn.ModuleList(towers), nn.Linear(CLASSES * len(towers), CLASSES)

    def forward(self, x):
        return self.top(torch.cat([tower(x) for tower in self.towers], 1))


class Siamese(nn.Module):
    """The distance of two inputs after the same network."""

    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, a, b):
        return (self.encoder(a) - self.encoder(b)).square().sum(1)


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.qkv, self.out = heads, nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        batch, tokens, width = x.shape
        parts = self.qkv(x).view(batch, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(*parts)
        return self.out(mixed.transpose(1, 2).reshape(batch, tokens, width))


class Transformer(nn.Module):
    """Pre-norm blocks over tokens, or over patches of an image; GPT-2's and ViT's initialisation."""

    def __init__(self, layers, width=48, norm=True, std=0.02, vocabulary=100, tokens=16, patches=0):
        super().__init__()
        self.embed = nn.Linear(patches, width) if patches else nn.Embedding(vocabulary, width)
        self.place = nn.Parameter(torch.randn(tokens, width) * std)
        make = nn.LayerNorm if norm else lambda _: nn.Identity()
        self.blocks = nn.ModuleList(
            nn.ModuleDict(
                {
                    "norm_1": make(width),
                    "attention": Attention(width, 4),
                    "norm_2": make(width),
                    "mlp": nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)),
                }
            )
            for _ in range(layers)
        )
        self.norm, self.head = make(width), nn.Linear(width, CLASSES if patches else vocabulary)
        self.pools = bool(patches)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=std)

    def forward(self, x):
        x = self.embed(x) + self.place
        for block in self.blocks:
            x = x + block["attention"](block["norm_1"](x))
            x = x + block["mlp"](block["norm_2"](x))
        x = self.norm(x)
        return self.head(x.mean(1) if self.pools else x)


class BasicBlock(nn.Module):
    def __init__(self, before, width, stride, norm):
        super().__init__()
        make = nn.BatchNorm2d if norm else lambda _: nn.Identity()
        self.a, self.b = nn.Conv2d(before, width, 3, stride, 1), nn.Conv2d(width, width, 3, 1, 1)
        self.norm_a, self.norm_b, self.act = make(width), make(width), nn.ReLU(inplace=True)
        self.skip = nn.Conv2d(before, width, 1, stride) if stride > 1 or before != width else nn.Identity()
        for layer in (self.a, self.b):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x):
        h = self.norm_b(self.b(self.act(self.norm_a(self.a(x)))))
        h += self.skip(x)
        return self.act(h)


class ResNet(nn.Module):
    """The eight blocks of ResNet-18, narrow, for small images."""

    def __init__(self, norm=True):
        super().__init__()
        widths = [8, 8, 16, 32, 64]
        self.bottom = nn.Conv2d(3, widths[0], 3, padding=1)
        blocks = []
        for i, (before, width) in enumerate(pairwise(widths)):
            blocks += [BasicBlock(before, width, 2 if i else 1, norm), BasicBlock(width, width, 1, norm)]
        self.blocks, self.top = nn.Sequential(*blocks), nn.Linear(widths[-1], CLASSES)

    def forward(self, x):
        return self.top(self.blocks(F.relu(self.bottom(x))).mean((2, 3)))


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.rnn, self.top = kind(8, 32, batch_first=True), nn.Linear(32, CLASSES)

    def forward(self, x):
        return self.top(self.rnn(x)[0][:, -1])


class Detached(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(INPUTS, 64), nn.Linear(64, 64), nn.Linear(64, CLASSES)

    def forward(self, x):
        h = torch.relu(self.a(x)).detach()
        return self.c(torch.relu(self.b(h)))


class Logarithm(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(INPUTS, 64), nn.Linear(64, CLASSES)

    def forward(self, x):
        return self.b(torch.log(self.a(x)))
