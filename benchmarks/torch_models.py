"""The backbones in plain PyTorch, for comparison with the speed of this library.

`dense` replaces each temporal stride by dilation of the following layers, as is usual there.
"""

from __future__ import annotations

import torch
from torch import nn

# Channels of branch 0, of branch 1 (1x1, then 3x3), of branch 2 (likewise) and of branch 3.
INCEPTION = (
    ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
    (
        (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
    ),
    ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
)


def c3d(dense: bool) -> nn.Module:
    """C3D's convolutions up to conv5b, on (batch, 3, frames, height, width)."""
    layers, dilation, channels = [], 1, 3
    for index, filters in enumerate((64, 128, 256, 256, 512, 512, 512, 512)):
        spread = (dilation, 1, 1)
        layers += [nn.Conv3d(channels, filters, 3, padding=spread, dilation=spread), nn.ReLU()]
        channels = filters
        if index == 0:
            layers.append(nn.MaxPool3d((1, 2, 2)))
        elif index in (1, 3, 5) and dense:
            layers.append(nn.MaxPool3d(2, (1, 2, 2), dilation=spread))
            dilation *= 2
        elif index in (1, 3, 5):
            layers.append(nn.MaxPool3d(2))
    return nn.Sequential(*layers)


class Mixed(nn.Module):
    """Inception block of four parallel branches, in two or three dimensions."""

    def __init__(self, channels: int, filters: tuple[int, ...], unit, pool):
        super().__init__()
        first, reduce_1, second, reduce_2, third, fourth = filters
        self.branches = nn.ModuleList(
            [
                unit(channels, first, 1),
                nn.Sequential(unit(channels, reduce_1, 1), unit(reduce_1, second, 3)),
                nn.Sequential(unit(channels, reduce_2, 1), unit(reduce_2, third, 3)),
                nn.Sequential(pool(3, 1), unit(channels, fourth, 1)),
            ]
        )
        self.filters = first + second + third + fourth

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], 1)


def i3d(dense: bool) -> nn.Module:
    """I3D up to Mixed_5c, on (batch, 3, frames, height, width)."""
    dilation = 1

    def unit(before, after, size, stride=1):
        spread = (dilation if size > 1 else 1, 1, 1)
        padding = tuple(size // 2 * s for s in spread)
        strides = (1 if dense else stride, stride, stride)
        return nn.Sequential(
            nn.Conv3d(before, after, size, strides, padding, spread, bias=False),
            nn.BatchNorm3d(after),
            nn.ReLU(),
        )

    def pool(size, stride):
        # MaxPool3d refuses to pad by more than half its size, dilated or not.
        time, side = ((size - 1) // 2 * dilation, (size - 1) // 2)
        strides = (1 if dense else stride, stride, stride)
        return nn.Sequential(
            nn.ConstantPad3d((side, side, side, side, time, time), 0.0),
            nn.MaxPool3d(size, strides, dilation=(dilation, 1, 1)),
        )

    layers = [unit(3, 64, 7, 2), nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))]
    dilation = 2 if dense else 1
    layers += [unit(64, 64, 1), unit(64, 192, 3), nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))]
    channels = 192
    for number, blocks in enumerate(INCEPTION):
        if number:
            layers.append(pool(3 if number == 1 else 2, 2))
            dilation *= 2 if dense else 1
        for filters in blocks:
            layers.append(Mixed(channels, filters, unit, pool))
            channels = layers[-1].filters
    return nn.Sequential(*layers)


class Bottleneck(nn.Module):
    """ResNet's block of three convolutions, with the stride in the 3x3 one."""

    def __init__(self, before: int, filters: int, stride: int):
        super().__init__()
        after = 4 * filters
        self.body = nn.Sequential(
            nn.Conv2d(before, filters, 1, bias=False),
            nn.BatchNorm2d(filters),
            nn.ReLU(),
            nn.Conv2d(filters, filters, 3, stride, 1, bias=False),
            nn.BatchNorm2d(filters),
            nn.ReLU(),
            nn.Conv2d(filters, after, 1, bias=False),
            nn.BatchNorm2d(after),
        )
        self.shortcut = nn.Identity()
        if stride > 1 or before != after:
            self.shortcut = nn.Sequential(
                nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after)
            )

    def forward(self, x):
        return torch.relu(self.body(x) + self.shortcut(x))


def resnet50() -> nn.Module:
    """ResNet-50's features, on (frames, 3, height, width)."""
    layers: list[nn.Module] = [
        nn.Conv2d(3, 64, 7, 2, 3, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
    ]
    channels = 64
    for stage, blocks in enumerate((3, 4, 6, 3)):
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            layers.append(Bottleneck(channels, 64 * 2**stage, stride))
            channels = 256 * 2**stage
    return nn.Sequential(*layers)
