"""Draws graph_MODEL.svg for every model: python docs/pictures/graphs.py

Names, shapes and arrows are read from the Keras models; a box with a layer that the model does not
have, and a layer without a box, are errors. One column, 400 units wide, with colours
that are readable on white and on black, so that phones and dark pages can show the same file.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape

import keras

import zoo

FOLDER = Path(__file__).parent
CLASSES = 7919  # a number that no other dimension has; drawn as "classes"
WIDTH, MARGIN, HEIGHT, GAP = 400, 18, 64, 28
INPUT, FROZEN, OWN, OUTPUT = "#ffffff", "#dedbd2", "#cfe0f7", "#cdebd0"


@dataclasses.dataclass(frozen=True)
class Box:
    """Layers that are drawn as one box.

    Args:
        title: what they do.
        layers: their names; the shape is that of the last one.
        colour: colour of the box.
        row: number of its row, from the top.
        column: 0 for the whole width, 1 for the left half, 2 for the right half.
        sizes: names of the variable dimensions, in order.
        around: names of layers whose arrows pass other boxes: "left" or "right" of them.
    """

    title: str
    layers: tuple[str, ...]
    colour: str
    row: int
    column: int = 0
    sizes: tuple[str, ...] = ("B", "T")
    around: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def place(self) -> tuple[float, float, float, float]:
        """Left, upper, right and lower edge."""
        inner = WIDTH - 2 * MARGIN
        left = MARGIN + (inner / 2 + 5) * (self.column == 2)
        right = WIDTH - MARGIN - (inner / 2 + 5) * (self.column == 1)
        upper = 4 + self.row * (HEIGHT + GAP)
        return left, upper, right, upper + HEIGHT


LATE = ("B", "T-15")  # sliding clips have no output for the first 15 frames


def models() -> dict[str, tuple[keras.Model, str, tuple[Box, ...]]]:
    """Name -> the model as the paper has it, the picture's title, and its boxes."""
    return {
        "general_saliency": (
            zoo.general_saliency(weights="general"),
            "The general model: EfficientNet-Lite, a head, a memory, motion and the centre",
            (
                Box("frames of any size", ("rgb",), INPUT, 0, sizes=("B", "T", "h", "w")),
                Box(
                    "EfficientNet-Lite 2 and pyramid, frame by frame",
                    ("frame_features",),
                    FROZEN,
                    1,
                    sizes=("B", "T", "h/4", "w/4"),
                ),
                Box("one map of logits", ("readout",), OWN, 2, sizes=("B", "T", "h/4", "w/4")),
                Box(
                    "plus a centre Gaussian, over a temperature",
                    ("frame_density",),
                    OWN,
                    3,
                    sizes=("B", "T", "h/4", "w/4"),
                ),
                Box(
                    "mean of the last 1/3 s",
                    ("density", "past"),
                    OWN,
                    4,
                    2,
                    sizes=("B", "T", "h/4", "w/4"),
                ),
                Box(
                    "half the frame's density, half the past's",
                    ("memory",),
                    OWN,
                    5,
                    sizes=("B", "T", "h/4", "w/4"),
                ),
                Box(
                    "what moves",
                    ("brightness", "earlier"),
                    OWN,
                    6,
                    2,
                    sizes=("B", "T", "h/4", "w/4"),
                    around={"rgb": "right"},
                ),
                Box(
                    "mixed with what moves",
                    ("motion",),
                    OWN,
                    7,
                    sizes=("B", "T", "h/4", "w/4"),
                ),
                Box(
                    "drawn to the centre if spread out",
                    ("centre",),
                    OWN,
                    8,
                    sizes=("B", "T", "h/4", "w/4"),
                    around={"earlier": "left"},
                ),
                Box(
                    "output: blurred if the video is small",
                    ("log_density",),
                    OUTPUT,
                    9,
                    sizes=("B", "T", "h/4", "w/4"),
                ),
            ),
        ),
        "rmdn": (
            zoo.rmdn(),
            "RMDN: C3D on sliding clips, an LSTM, and a mixture density",
            (
                Box("frames", ("rgb",), INPUT, 0),
                Box("every run of 16 frames", ("clips",), FROZEN, 1, sizes=LATE),
                Box("C3D up to pool5", ("backbone", "flatten"), FROZEN, 2, sizes=LATE),
                Box("LSTM, dropout 0.5", ("recurrent_0", "dropout"), OWN, 3, sizes=LATE),
                Box("output: 20 Gaussians", ("mixture",), OUTPUT, 4, sizes=LATE),
            ),
        ),
        "joint": (
            zoo.joint(num_classes=CLASSES),
            "The joint network: an RMDN whose saliency weights the features of the action",
            (
                Box("frames", ("rgb",), INPUT, 0),
                Box("every run of 16 frames", ("clips",), FROZEN, 1, sizes=LATE),
                Box("C3D up to pool5", ("backbone", "reshape"), FROZEN, 2, sizes=LATE),
                Box(
                    "LSTM, dropout",
                    ("recurrent_0", "flatten", "dropout"),
                    OWN,
                    3,
                    1,
                    sizes=LATE,
                ),
                Box("output: 20 Gaussians", ("mixture",), OUTPUT, 4, 1, sizes=LATE),
                Box("context: mean of places", ("context",), OWN, 3, 2, sizes=LATE),
                Box(
                    "saliency x features",
                    ("weighting", "attended"),
                    OWN,
                    5,
                    1,
                    sizes=LATE,
                    around={"reshape": "left"},
                ),
                Box("both branches", ("branches", "steps"), OWN, 6, sizes=LATE),
                Box("maximum over time, dropout", ("temporal", "action_dropout"), OWN, 7),
                Box("output: action", ("action",), OUTPUT, 8),
            ),
        ),
        "lsts": (
            zoo.lsts(streams="both"),
            "LSTS: pooled I3D features of frames and flow, decoded to one map",
            (
                Box("79 frames", ("rgb",), INPUT, 0, 1),
                Box("their optical flow", ("flow",), INPUT, 0, 2),
                Box("I3D, pooled", ("rgb_features",), FROZEN, 1, 1),
                Box("I3D, pooled", ("flow_features",), FROZEN, 1, 2),
                Box("both streams", ("fusion",), OWN, 2),
                Box(
                    "convolution over the 5 steps",
                    ("convolution", "convolution_norm", "convolution_relu", "squeeze"),
                    OWN,
                    3,
                ),
                Box(
                    "7 transposed convolutions",
                    tuple(
                        f"stage_{n}{part}"
                        for n in range(1, 8)
                        for part in ("_convolution", "", "_relu", "_norm")
                    ),
                    OWN,
                    4,
                ),
                Box("output: one map", ("map_convolution", "saliency"), OUTPUT, 5),
            ),
        ),
        "soft_attention": (
            zoo.soft_attention(num_classes=CLASSES),
            "Soft attention: GoogLeNet features, and LSTMs that choose where to look",
            (
                Box("30 frames", ("rgb",), INPUT, 0),
                Box("GoogLeNet, frame by frame", ("backbone",), FROZEN, 1),
                Box("3 LSTMs, attention over the 49 places", ("recurrent",), OWN, 2),
                Box(
                    "dropout, tanh layer",
                    ("hidden", "dropout_states", "dropout_hidden"),
                    OWN,
                    3,
                    1,
                ),
                Box("output: action", ("action",), OUTPUT, 4, 1),
                Box("output: where", ("spatial_attention",), OUTPUT, 3, 2),
            ),
        ),
        "spatiotemporal_attention": (
            zoo.spatiotemporal_attention(num_classes=CLASSES),
            "Spatio-temporal attention: a mask on every frame, weights on the frames, a ConvLSTM",
            (
                Box("50 frames", ("rgb",), INPUT, 0),
                Box("ResNet-50, frame by frame", ("backbone",), FROZEN, 1),
                Box("mask of every frame: features x mask", ("spatial",), OWN, 2),
                Box("output: where", ("spatial_attention",), OUTPUT, 3, 2),
                Box("ConvLSTM over frames", ("recurrent",), OWN, 3, 1),
                Box("output: when", ("temporal_attention",), OUTPUT, 4, 2),
                Box("mean state", ("mean_state",), OWN, 4, 1),
                Box("output: action", ("action",), OUTPUT, 5, 1),
            ),
        ),
    }


@dataclasses.dataclass
class Layer:
    """A layer of a graph: its inputs and the shape of its output."""

    sources: list[str]
    shape: tuple


def read_graph(model: keras.Model) -> dict[str, Layer]:
    """A model's layers by name, with those of its part "head" among them.

    If a layer has several outputs, each is treated as a layer.
    """

    def name_of(operation) -> str:
        # Keras numbers default names in the order of creation: reshape_1.
        return re.sub(r"^(reshape)_\d+$", r"\1", operation.name)

    def source_of(tensor) -> str:
        return name_of(tensor._keras_history.operation)

    found = {}
    for operation in model.operations:
        node = operation._inbound_nodes[-1]
        sources = [source_of(tensor) for tensor in node.input_tensors]
        if operation.name == "head":
            inner = read_graph(operation)
            start = next(name for name, layer in inner.items() if not layer.sources)
            del inner[start]
            for layer in inner.values():
                layer.sources = [sources[0] if s == start else s for s in layer.sources]
            found |= inner
            continue
        output = operation.output
        first = output[0] if isinstance(output, (list, tuple)) else output
        found[name_of(operation)] = Layer(sources, tuple(first.shape))
    outputs = model.output if isinstance(model.output, dict) else {}
    for name, tensor in outputs.items():
        found.setdefault(name, Layer([source_of(tensor)], tuple(tensor.shape)))
    return found


def shape_text(shape: tuple, sizes: tuple[str, ...]) -> str:
    """A shape with names for the variable dimensions: (B, T, 7, 7, 512)."""
    names = iter(sizes)
    parts = [next(names) if n is None else "classes" if n == CLASSES else str(n) for n in shape]
    return f"({', '.join(parts)})"


def draw(model: keras.Model, title: str, boxes: tuple[Box, ...]) -> str:
    """The picture as SVG."""
    graph = read_graph(model)
    box_of = {name: box for box in boxes for name in box.layers}
    if set(box_of) != set(graph):
        raise ValueError(
            "The boxes must name every layer of the model. Received: "
            f"{sorted(set(box_of) - set(graph))} that it has not, without "
            f"{sorted(set(graph) - set(box_of))}"
        )
    parts, height = [], 8 + max(box.place[3] for box in boxes)
    for name, layer in graph.items():
        for source in layer.sources:
            one, other = box_of[source], box_of[name]
            if one is not other:
                parts.append(_arrow(one, other, other.around.get(source)))
    parts = list(dict.fromkeys(parts))
    for box in boxes:
        left, upper, right, _ = box.place
        middle = (left + right) / 2
        named = [name for name in box.layers if not name.startswith(("reshape", "squeeze"))]
        shape = shape_text(graph[box.layers[-1]].shape, box.sizes)
        lines = [", ".join(named), shape]
        if box.column and max(len(box.title), len(shape)) > 24:
            raise ValueError(f"A half box has 24 letters a line. Received: {box.title}, {shape}")
        if len(lines[0]) > (26 if box.column else 54):
            lines[0] = f"{named[0]} ..." if box.column else f"{named[0]} ... {named[-1]}"
        parts.append(
            f'<rect x="{left:g}" y="{upper:g}" width="{right - left:g}" height="{HEIGHT}" rx="6" '
            f'fill="{box.colour}" stroke="#7d7d78"/>'
        )
        for number, line in enumerate((box.title, *lines)):
            kind, y = "n" if number else "t", upper + 20 + 18 * number
            parts.append(f'<text class="{kind}" x="{middle:g}" y="{y:g}">{escape(line)}</text>')
    body = "\n".join(parts)
    size = f'viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" height="{height:g}"'
    return f"""<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">
<title>{escape(title)}</title>
<style>
text {{ text-anchor: middle; fill: #1d1d1b }}
.t {{ font: 600 12.5px system-ui, sans-serif }}
.n {{ font: 11px ui-monospace, monospace }}
.a {{ fill: none; stroke: #8a8a85; stroke-width: 1.6; marker-end: url(#end) }}
</style>
<defs><marker id="end" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" \
orient="auto"><path d="M0 0 8 4 0 8z" fill="#8a8a85"/></marker></defs>
{body}
</svg>
"""


def _arrow(one: Box, other: Box, side: str | None) -> str:
    left, _, right, lower = one.place
    to_left, upper, to_right, to_lower = other.place
    if side is None:
        # Straight down if the boxes are above each other, otherwise bent.
        low, high = max(left, to_left), min(right, to_right)
        start = end = (low + high) / 2
        if low >= high:
            start, end = (left + right) / 2, (to_left + to_right) / 2
        middle = (lower + upper) / 2
        path = f"M{start:g} {lower:g}C{start:g} {middle:g} {end:g} {middle:g} {end:g} {upper:g}"
    else:
        x, y, to_y = MARGIN / 2, lower - HEIGHT / 2, to_lower - HEIGHT / 2
        start, end = left, to_left
        if side == "right":
            x, start, end = WIDTH - MARGIN / 2, right, to_right
        path = f"M{start:g} {y:g}H{x:g}V{to_y:g}H{end:g}"
    return f'<path class="a" d="{path}"/>'


def main() -> None:
    for name, (model, title, boxes) in models().items():
        path = FOLDER / f"graph_{name}.svg"
        path.write_text(draw(model, title, boxes), encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
