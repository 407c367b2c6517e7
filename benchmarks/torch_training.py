"""The zoo's models in plain PyTorch, as the baseline for the speed of a training step.

The same layers and the same number of trained parameters as the builder of the same name, on
videos (batch, 3, frames, height, width); `benchmarks/train_speed.py` compares the counts. The
scales of batch normalisation that the published I3D lacks, and the second bias of PyTorch's LSTM,
are not trained.
"""

from __future__ import annotations

from torch_models import INCEPTION, Mixed, c3d, i3d, later_frame_too, resnet50

import torch
from torch import nn
from torch.nn import functional

CLASSES = 10


def untrained(parameters) -> None:
    """Exclude parameters from training."""
    for parameter in parameters:
        parameter.requires_grad_(False)


class Frozen(nn.Module):
    """A backbone that is not trained: without gradients and batch statistics."""

    def __init__(self, backbone: nn.Module):
        super().__init__()
        self.backbone = backbone
        untrained(backbone.parameters())

    def train(self, mode: bool = True):
        return super().train(False)

    def forward(self, x):
        with torch.no_grad():
            return self.backbone(x)


def backbone_of(network: nn.Module, trained: bool) -> nn.Module:
    return network if trained else Frozen(network)


def frames_first(video):
    """(batch, channels, time, ...) to (batch * time, channels, ...)."""
    return video.transpose(1, 2).flatten(0, 1)


class Lstm(nn.Module):
    """An LSTM with one bias for each gate."""

    def __init__(self, features: int, units: int):
        super().__init__()
        self.layer = nn.LSTM(features, units, batch_first=True)
        untrained([self.layer.bias_hh_l0])

    def forward(self, x):
        return self.layer(x)[0]


class VideoMaps(nn.Module):
    """C3D up to pool5: a map (512, 4, 4) for every frame, or for every 16-frame clip."""

    def __init__(self, dense: bool, trained: bool):
        super().__init__()
        self.dense = dense
        pools = [nn.MaxPool3d((1, 2, 2)), later_frame_too(8)] if dense else [nn.MaxPool3d(2)]
        network = nn.Sequential(
            c3d(dense, padded=dense), nn.ConstantPad3d((0, 1, 0, 1, 0, 0), 0.0), *pools
        )
        self.backbone = backbone_of(network, trained)

    def forward(self, video):
        if self.dense:
            return self.backbone(video).transpose(1, 2)
        clips = video.unfold(2, 16, 1).permute(0, 2, 1, 5, 3, 4)
        maps = self.backbone(clips.flatten(0, 1))[:, :, 0]
        return maps.unflatten(0, clips.shape[:2])


class Rmdn(nn.Module):
    """C3D, an LSTM, the parameters of 20 Gaussians."""

    def __init__(self, dense: bool, trained: bool):
        super().__init__()
        self.maps = VideoMaps(dense, trained)
        self.recurrent = Lstm(8192, 256)
        self.mixture = nn.Linear(256, 120)

    def mixture_of(self, maps):
        states = functional.dropout(self.recurrent(maps.flatten(2)), 0.5, self.training)
        return gaussians(self.mixture(states).unflatten(-1, (20, 6)).float())

    def forward(self, video):
        return [self.mixture_of(self.maps(video))]


def gaussians(x):
    """Logits, means and bounded spreads of a mixture."""
    return torch.cat([x[..., :3], torch.log(0.01 + torch.sigmoid(x[..., 3:5])), x[..., 5:]], -1)


class Joint(Rmdn):
    """RMDN, and an action from the means of the maps, weighted by the saliency and unweighted."""

    def __init__(self, dense: bool, trained: bool):
        super().__init__(dense, trained)
        self.action = nn.Linear(1024, CLASSES)

    def forward(self, video):
        maps = self.maps(video)
        mixture = self.mixture_of(maps)
        mass = self.mass(mixture, *maps.shape[-2:])
        attended = maps * (mass * mass.shape[-1] * mass.shape[-2])[:, :, None]
        steps = torch.cat([maps.mean((-2, -1)), attended.mean((-2, -1))], -1).amax(1)
        steps = functional.dropout(steps, 0.5, self.training)
        return [mixture, self.action(steps).float().softmax(-1)]

    @staticmethod
    def mass(mixture, rows: int, columns: int):
        """The probability of every place, from the density at its centre."""
        y = ((torch.arange(rows) + 0.5) / rows)[:, None]
        x = ((torch.arange(columns) + 0.5) / columns)[None]
        logit, mean_x, mean_y, log_x, log_y, rho = mixture[..., None, None].unbind(-3)
        u, v, r = (x - mean_x) / log_x.exp(), (y - mean_y) / log_y.exp(), rho.tanh()
        rest = 1 - r * r
        log = -(u * u - 2 * r * u * v + v * v) / (2 * rest) - log_x - log_y - rest.log() / 2
        density = (logit.softmax(-3) * log.exp()).sum(-3)
        return density / density.sum((-2, -1), keepdim=True).clamp_min(1e-12)


class Lsts(nn.Module):
    """I3D, average pooling, one convolution over time, seven transposed ones."""

    STAGES = (
        ((3, 3), (2, 2), 512),
        ((4, 3), (3, 2), 256),
        ((1, 3), (1, 2), 128),
        ((4, 3), (3, 2), 64),
        ((1, 3), (1, 2), 16),
        ((3, 3), (2, 2), 4),
        ((3, 3), (2, 2), 2),
    )

    def __init__(self, dense: bool, trained: bool, steps: int, pooled: int):
        super().__init__()
        self.dense, self.steps, self.pooled = dense, steps, pooled
        network = i3d(dense, padded=dense)
        untrained(m.weight for m in network.modules() if isinstance(m, nn.BatchNorm3d))
        self.backbone = backbone_of(network, trained)
        self.places = nn.AvgPool3d((1 if dense else pooled, 3, 3), 1)
        dilation = (8 if dense else 1, 1, 1)
        self.convolution = nn.Conv3d(1024, 512, (steps, 1, 1), dilation=dilation)
        self.norm = nn.BatchNorm3d(512)
        layers, before = [], 512
        for kernel, stride, after in self.STAGES:
            pads = tuple(int(side > 1) for side in kernel)
            layers += [
                nn.ConvTranspose2d(before, after, kernel, stride, pads, pads),
                nn.ReLU(),
                nn.BatchNorm2d(after),
            ]
            before = after
        self.decoder = nn.Sequential(*layers, nn.Conv2d(before, 1, 1))

    def forward(self, video):
        x = self.places(self.backbone(video))
        if self.dense:
            shifted = [
                functional.pad(x, (0, 0, 0, 0, 8 * n, 0))[:, :, : x.shape[2]]
                for n in range(self.pooled)
            ]
            x = functional.pad(sum(shifted) / self.pooled, (0, 0, 0, 0, 8 * (self.steps - 1), 0))
        x = self.norm(self.convolution(x)).relu()
        maps = torch.sigmoid(self.decoder(frames_first(x)).float()[:, 0])
        return [maps.unflatten(0, (len(video), -1)) if self.dense else maps]


def unit_2d(before: int, after: int, size: int, stride: int = 1) -> nn.Module:
    """GoogLeNet's convolution."""
    return nn.Sequential(
        nn.Conv2d(before, after, size, stride, size // 2, bias=False),
        nn.BatchNorm2d(after, eps=1e-3),
        nn.ReLU(),
    )


def googlenet() -> nn.Module:
    """GoogLeNet with batch normalisation, up to its last block."""

    def pool(size, stride):
        same = size // 2 if stride == 1 else 0
        return nn.MaxPool2d(size, stride, same, ceil_mode=True)

    layers = [unit_2d(3, 64, 7, 2), pool(3, 2), unit_2d(64, 64, 1), unit_2d(64, 192, 3)]
    channels = 192
    for number, blocks in enumerate(INCEPTION):
        layers.append(pool(3 if number < 2 else 2, 2))
        for filters in blocks:
            layers.append(Mixed(channels, filters, unit_2d, pool))
            channels = layers[-1].filters
    return nn.Sequential(*layers)


class SoftAttention(nn.Module):
    """GoogLeNet on each frame; three LSTMs that select the attended place."""

    def __init__(self, trained: bool, units: int = 512, channels: int = 1024, places: int = 49):
        super().__init__()
        self.backbone = backbone_of(googlenet(), trained)
        self.cells = nn.ModuleList(
            nn.LSTMCell(channels if n == 0 else units, units) for n in range(3)
        )
        untrained(cell.bias_hh for cell in self.cells)
        self.locate = nn.Linear(units, places, bias=False)
        self.initial = nn.ModuleList(
            nn.Sequential(
                nn.Linear(channels, units), nn.Tanh(), nn.Linear(units, 3 * units), nn.Tanh()
            )
            for _ in range(2)
        )
        self.hidden = nn.Linear(units, units)
        self.action = nn.Linear(units, CLASSES)

    def forward(self, video):
        batch, time = video.shape[0], video.shape[2]
        x = self.backbone(frames_first(video)).flatten(2).unflatten(0, (batch, time))
        mean = x.mean((1, 3))
        hidden, memory = (list(layer(mean).chunk(3, -1)) for layer in self.initial)
        outputs, looked = [], []
        for t in range(time):
            weights = self.locate(hidden[-1]).float().softmax(-1)
            now = (x[:, t] * weights[:, None]).sum(-1)
            for n, cell in enumerate(self.cells):
                now = functional.dropout(now, 0.5, self.training)
                hidden[n], memory[n] = cell(now, (hidden[n], memory[n]))
                now = hidden[n]
            outputs.append(now)
            looked.append(weights)
        x = functional.dropout(torch.stack(outputs, 1), 0.5, self.training)
        x = functional.dropout(self.hidden(x).tanh(), 0.5, self.training)
        return [self.action(x).float().softmax(-1), torch.stack(looked, 1)]


class SpatiotemporalAttention(nn.Module):
    """ResNet-50 on each frame, a mask, and a ConvLSTM that weights the frames at every step."""

    def __init__(self, trained: bool, filters: int = 512, channels: int = 2048):
        super().__init__()
        self.filters = filters
        self.backbone = backbone_of(resnet50(bias=True), trained)
        layers, before = [], channels
        for after in (1024, 512):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
            before = after
        self.mask = nn.Sequential(*layers, nn.Conv2d(before, 1, 3, padding=1))
        self.initial = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, filters, 3, padding=1),
                nn.BatchNorm2d(filters),
                nn.ReLU(),
                nn.Conv2d(filters, filters, 3, padding=1),
                nn.BatchNorm2d(filters),
            )
            for _ in range(2)
        )
        self.key = nn.Linear(channels, 512, bias=False)
        self.query = nn.Linear(filters, 512)
        self.energy = nn.Linear(512, 1, bias=False)
        self.of_frames = nn.Conv2d(channels, 4 * filters, 3, padding=1)
        self.of_state = nn.Conv2d(filters, 4 * filters, 3, padding=1, bias=False)
        self.action = nn.Linear(filters, CLASSES)

    def forward(self, video):
        batch, time = video.shape[0], video.shape[2]
        maps = self.backbone(frames_first(video))
        gate = torch.sigmoid(self.mask(maps).float())
        maps = (maps * gate).unflatten(0, (batch, time))
        mean = maps.mean(1)
        hidden, cell = (layer(mean) for layer in self.initial)
        keys = self.key(maps.mean((-2, -1)))
        states, weights_of_steps = [], []
        for _ in range(time):
            query = self.query(hidden.mean((-2, -1)))
            energies = self.energy(torch.tanh(keys + query[:, None]))[..., 0]
            weights = energies.float().softmax(-1)
            x = (maps * weights[:, :, None, None, None]).sum(1) / time
            i, f, g, o = (self.of_frames(x) + self.of_state(hidden)).chunk(4, 1)
            cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
            hidden = o.sigmoid() * cell.tanh()
            states.append(hidden)
            weights_of_steps.append(weights)
        mean_state = torch.stack(states, 1).mean((1, 3, 4))
        action = self.action(mean_state).float().softmax(-1)
        return [action, gate[:, 0], torch.stack(weights_of_steps, 1)]


def same_pads(x, kernel: int, stride: int):
    """Zero padding, with an odd remainder at the bottom and right."""
    pads = []
    for length in (x.shape[3], x.shape[2]):
        total = max((-(-length // stride) - 1) * stride + kernel - length, 0)
        pads += [total // 2, total - total // 2]
    return functional.pad(x, pads) if any(pads) else x


class LiteBlock(nn.Module):
    """EfficientNet-Lite's block, with folded batch normalisation."""

    def __init__(self, before, kernel, stride, expansion, channels):
        super().__init__()
        inner = before * expansion
        self.kernel, self.stride = kernel, stride
        self.adds = stride == 1 and before == channels
        self.expand = nn.Conv2d(before, inner, 1) if expansion > 1 else None
        self.depthwise = nn.Conv2d(inner, inner, kernel, stride, groups=inner)
        self.project = nn.Conv2d(inner, channels, 1)

    def forward(self, x):
        y = x if self.expand is None else functional.relu6(self.expand(x))
        y = functional.relu6(self.depthwise(same_pads(y, self.kernel, self.stride)))
        y = self.project(y)
        return x + y if self.adds else y


class Lite(nn.Module):
    """EfficientNet-Lite0's maps at strides of 8, 16 and 32."""

    STAGES = (
        (3, 1, 1, 16, 1),
        (3, 2, 6, 24, 2),
        (5, 2, 6, 40, 2),
        (3, 2, 6, 80, 3),
        (5, 1, 6, 112, 3),
        (5, 2, 6, 192, 4),
        (3, 1, 6, 320, 1),
    )

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, 2)
        self.stages, before = nn.ModuleList(), 32
        for kernel, stride, expansion, channels, repeats in self.STAGES:
            blocks = []
            for repeat in range(repeats):
                step = 1 if repeat else stride
                blocks.append(LiteBlock(before, kernel, step, expansion, channels))
                before = channels
            self.stages.append(nn.Sequential(*blocks))

    def forward(self, x):
        x = functional.relu6(self.stem(same_pads(x, 3, 2)))
        maps = []
        for number, stage in enumerate(self.stages):
            x = stage(x)
            if number in (2, 4, 6):
                maps.append(x)
        return maps


class GeneralSaliency(nn.Module):
    """EfficientNet-Lite0, a pyramid, a log density of each frame with a memory of 16 frames."""

    CHANNELS = (40, 112, 320)

    def __init__(self, trained: bool, width: int = 96):
        super().__init__()
        self.backbone = backbone_of(Lite(), trained)
        half = width // 2

        def separable(before, after):
            return nn.Sequential(
                nn.Conv2d(before, before, 5, padding=2, groups=before),
                nn.Conv2d(before, after, 1),
                nn.ReLU(),
            )

        self.lateral = nn.ModuleList(
            nn.Conv2d(count, after, 1) for count, after in zip(self.CHANNELS, (half, width, width))
        )
        self.around = nn.ModuleList(
            [separable(half, half), separable(width, width), separable(width, width)]
        )
        self.narrow = nn.Conv2d(width, half, 1)
        self.logits = nn.Conv2d(half, 1, 1)
        self.centre = nn.Parameter(torch.full((2,), 0.5))
        self.log_sigma = nn.Parameter(torch.full((2,), -1.0))
        self.strength = nn.Parameter(torch.ones(1))

    def forward(self, video):
        maps = self.backbone(frames_first(video))
        maps = [functional.dropout2d(x, 0.2, self.training) for x in maps]
        x = self.lateral[2](maps[2]).relu()
        for index in (2, 1):
            x = x + self.around[index](x)
            x = functional.interpolate(x, size=maps[index - 1].shape[2:], mode="bilinear")
            x = self.narrow(x) if index == 1 else x
            x = (x + self.lateral[index - 1](maps[index - 1])).relu()
        x = self.logits(self.around[0](x)).float()
        x = functional.interpolate(x, scale_factor=2, mode="bilinear")[:, 0]
        x = (x + self.bias(*x.shape[1:])).flatten(1).log_softmax(-1)
        now = x.unflatten(0, (len(video), -1))
        density = now.exp()
        past = functional.pad(density, (0, 0, 15, 0)).unfold(1, 16, 1).mean(-1)
        past = past / past.sum(-1, keepdim=True).clamp_min(1e-10)
        mixed = (0.5 * density + 0.5 * past).clamp_min(1e-10)
        return [torch.log(mixed / mixed.sum(-1, keepdim=True))]

    def bias(self, rows: int, columns: int):
        x = (torch.arange(columns) + 0.5) / columns
        y = (torch.arange(rows) + 0.5) / rows
        scale = torch.exp(-self.log_sigma)
        across = ((x - self.centre[0]) * scale[0]).square()
        down = ((y - self.centre[1]) * scale[1]).square()
        return self.strength * -0.5 * (across[None] + down[:, None])


def build(model: str, dense: bool, trained: bool, num_frames: int) -> nn.Module:
    """The network with a builder's name; only LSTS uses `num_frames`, the length of a clip."""
    if model == "rmdn":
        return Rmdn(dense, trained)
    if model == "joint":
        return Joint(dense, trained)
    if model == "lsts":
        time = -(-(79 if dense else num_frames) // 8)
        pooled = max(1, time - 4)
        return Lsts(dense, trained, time - pooled + 1, pooled)
    networks = {
        "soft_attention": SoftAttention,
        "spatiotemporal_attention": SpatiotemporalAttention,
        "general_saliency": GeneralSaliency,
    }
    return networks[model](trained)
