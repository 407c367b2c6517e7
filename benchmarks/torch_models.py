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


def c3d(dense: bool, padded: bool = False) -> nn.Module:
    """C3D's convolutions up to conv5b, on (batch, 3, frames, height, width).

    With `padded`, a dense network predicts every frame; without it, each pooling over time drops
    the last ones.
    """
    layers, dilation, channels = [], 1, 3
    for index, filters in enumerate((64, 128, 256, 256, 512, 512, 512, 512)):
        spread = (dilation, 1, 1)
        layers += [nn.Conv3d(channels, filters, 3, padding=spread, dilation=spread), nn.ReLU()]
        channels = filters
        if index == 0:
            layers.append(nn.MaxPool3d((1, 2, 2)))
        elif index in (1, 3, 5) and padded:
            layers += [nn.MaxPool3d((1, 2, 2)), later_frame_too(dilation)]
            dilation *= 2
        elif index in (1, 3, 5) and dense:
            layers.append(nn.MaxPool3d(2, (1, 2, 2), dilation=spread))
            dilation *= 2
        elif index in (1, 3, 5):
            layers.append(nn.MaxPool3d(2))
    return nn.Sequential(*layers)


def later_frame_too(dilation: int) -> nn.Module:
    """The maximum of each frame and the one `dilation` later; beyond the end it is zero."""
    return nn.Sequential(
        nn.ConstantPad3d((0, 0, 0, 0, 0, dilation), 0.0),
        nn.MaxPool3d((2, 1, 1), 1, dilation=(dilation, 1, 1)),
    )


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


def i3d(dense: bool, padded: bool = False) -> nn.Module:
    """I3D up to Mixed_5c, on (batch, 3, frames, height, width); `padded` as in `c3d`."""
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
        # MaxPool3d does not allow padding by more than half its size, even if dilated.
        time, side = ((size - 1) // 2 * dilation, (size - 1) // 2)
        later = (size - 1) * dilation - time if padded else time
        strides = (1 if dense else stride, stride, stride)
        return nn.Sequential(
            nn.ConstantPad3d((side, side, side, side, time, later), 0.0),
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

    def __init__(self, before: int, filters: int, stride: int, bias: bool):
        super().__init__()
        after = 4 * filters
        self.body = nn.Sequential(
            nn.Conv2d(before, filters, 1, bias=bias),
            nn.BatchNorm2d(filters),
            nn.ReLU(),
            nn.Conv2d(filters, filters, 3, stride, 1, bias=bias),
            nn.BatchNorm2d(filters),
            nn.ReLU(),
            nn.Conv2d(filters, after, 1, bias=bias),
            nn.BatchNorm2d(after),
        )
        self.shortcut = nn.Identity()
        if stride > 1 or before != after:
            self.shortcut = nn.Sequential(
                nn.Conv2d(before, after, 1, stride, bias=bias), nn.BatchNorm2d(after)
            )

    def forward(self, x):
        return torch.relu(self.body(x) + self.shortcut(x))


def resnet50(bias: bool = False) -> nn.Module:
    """ResNet-50's features, on (frames, 3, height, width); `bias`: of the convolutions."""
    layers: list[nn.Module] = [
        nn.Conv2d(3, 64, 7, 2, 3, bias=bias),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
    ]
    channels = 64
    for stage, blocks in enumerate((3, 4, 6, 3)):
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            layers.append(Bottleneck(channels, 64 * 2**stage, stride, bias))
            channels = 256 * 2**stage
    return nn.Sequential(*layers)


def _unit(before: int, after: int, size: int = 1, stride: int = 1, groups: int = 1):
    return nn.Sequential(
        nn.Conv2d(before, after, size, stride, size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU6(),
    )


class Inverted(nn.Module):
    """MobileNetV2's block: expansion, depthwise convolution, projection."""

    def __init__(self, before: int, after: int, expansion: int, stride: int = 1):
        super().__init__()
        wide = before * expansion
        self.expand = _unit(before, wide) if expansion > 1 else nn.Identity()
        self.body = nn.Sequential(
            _unit(wide, wide, 3, stride, wide),
            nn.Conv2d(wide, after, 1, bias=False),
            nn.BatchNorm2d(after),
        )
        self.adds = stride == 1 and before == after

    def forward(self, x):
        found = self.body(self.expand(x))
        return x + found if self.adds else found


class Unisal(nn.Module):
    """A network with UNISAL's architecture: MobileNetV2, a bypassed convolutional GRU, two skips.

    On (frames, 3, height, width) of one video; the GRU processes frame by frame.

    Reference: Droste et al., Unified image and video saliency modeling, 2020.
    """

    STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1))
    LAST = ((6, 160, 3, 2), (6, 320, 1, 1))

    def __init__(self):
        super().__init__()
        self.channels = 32
        self.stem = _unit(3, 32, 3, 2)
        self.to_8 = self._stages(self.STAGES[:3])  # 32 channels at a stride of 8
        self.to_16 = self._stages(self.STAGES[3:])  # 96 at 16
        self.to_32 = nn.Sequential(self._stages(self.LAST), _unit(320, 1280))
        self.after = Inverted(1280 + 16, 256, 1)  # with 16 maps of priors
        self.gates = nn.Sequential(nn.Conv2d(512, 512, 3, 1, 1, groups=512), nn.Conv2d(512, 512, 1))
        self.candidate = nn.Sequential(
            nn.Conv2d(512, 512, 3, 1, 1, groups=512), nn.Conv2d(512, 256, 1)
        )
        self.bypass = Inverted(256, 256, 1)
        self.skip_16, self.skip_8 = _unit(96, 128), _unit(32, 64)
        self.join_16, self.join_8 = Inverted(256 + 128, 128, 2), Inverted(128 + 64, 64, 2)
        self.readout = nn.Conv2d(64, 1, 1)
        self.smooth = nn.Conv2d(1, 1, 41, padding=20, bias=False)

    def _stages(self, stages):
        blocks = []
        for expansion, channels, repeats, stride in stages:
            for repeat in range(repeats):
                blocks.append(Inverted(self.channels, channels, expansion, 1 if repeat else stride))
                self.channels = channels
        return nn.Sequential(*blocks)

    def forward(self, x):
        fine = self.to_8(self.stem(x))
        middle = self.to_16(fine)
        coarse = self.to_32(middle)
        priors = torch.zeros(len(x), 16, *coarse.shape[2:], dtype=coarse.dtype)
        coarse = self.after(torch.cat([coarse, priors], 1))
        state, states = torch.zeros_like(coarse[:1]), []
        for frame in coarse.split(1):
            update, reset = torch.sigmoid(self.gates(torch.cat([frame, state], 1))).chunk(2, 1)
            new = torch.tanh(self.candidate(torch.cat([frame, reset * state], 1)))
            state = (1 - update) * state + update * new
            states.append(state)
        x = self.bypass(coarse + torch.cat(states))
        x = self.join_16(torch.cat([_twice(x), self.skip_16(middle)], 1))
        x = self.join_8(torch.cat([_twice(x), self.skip_8(fine)], 1))
        x = nn.functional.interpolate(self.readout(x), scale_factor=8)
        return self.smooth(x).flatten(2).log_softmax(2)


def _twice(x):
    return nn.functional.interpolate(x, scale_factor=2, mode="bilinear")
