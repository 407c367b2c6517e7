"""Draws joint_graph.png, the graph of `zoo.joint()`: python docs/pictures/joint_graph.py"""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

BLUE, RED, GREY, WHITE = "#dbe7f7", "#f9dcdc", "#ececea", "#ffffff"
# name: (x, y, text, colour).
BOXES = {
    "rgb": (0.0, 1.0, "rgb\n(B, T, 112, 112, 3)", WHITE),
    "trunk": (2.5, 1.0, "C3D trunk\nof every 16 frames", GREY),
    "context": (5.0, 0.0, "context\nmean over places", GREY),
    "recurrent": (5.0, 2.5, "LSTM 256,\ndropout", BLUE),
    "mixture": (7.5, 2.5, "mixture density\n20 Gaussians", BLUE),
    "bias": (10.0, 2.5, "central bias\n(central_bias=K)", BLUE),
    "weighting": (7.5, 1.0, "features x saliency\nmean over places", RED),
    "branches": (10.0, 0.5, "concatenation", RED),
    "temporal": (12.5, 0.5, "max, mean or\nattention over time", RED),
    "action": (15.0, 0.5, "action\n(B, classes)", RED),
    "out": (15.0, 2.5, "mixture\n(B, T-15, C, 6)", BLUE),
}
ARROWS = (
    ("rgb", "trunk"),
    ("trunk", "context"),
    ("trunk", "recurrent"),
    ("trunk", "weighting"),
    ("recurrent", "mixture"),
    ("mixture", "bias"),
    ("bias", "weighting"),
    ("context", "branches"),
    ("weighting", "branches"),
    ("branches", "temporal"),
    ("temporal", "action"),
)
WIDTH, HEIGHT = 2.05, 0.66


def edge(name: str, other: str) -> tuple[float, float]:
    """Where an arrow between two boxes meets the first."""
    x, y = BOXES[name][:2]
    across = BOXES[other][0] - x
    if abs(across) < WIDTH:
        return x, y + HEIGHT / 2 * (1 if BOXES[other][1] > y else -1)
    return x + WIDTH / 2 * (1 if across > 0 else -1), y


def arrow(axes, start, end, *, style="-", colour="#555550", bend=0.0):
    axes.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=11,
            linestyle=style,
            color=colour,
            connectionstyle=f"arc3,rad={bend}",
            shrinkA=1,
            shrinkB=1,
        )
    )


def main() -> None:
    figure, axes = plt.subplots(figsize=(13, 4), dpi=110)
    for x, y, text, colour in BOXES.values():
        axes.add_patch(
            FancyBboxPatch(
                (x - WIDTH / 2, y - HEIGHT / 2),
                WIDTH,
                HEIGHT,
                boxstyle="round,pad=0.02,rounding_size=0.08",
                facecolor=colour,
                edgecolor="#777770",
            )
        )
        axes.text(x, y, text, ha="center", va="center", fontsize=8.5)
    for start, end in ARROWS:
        arrow(axes, edge(start, end), edge(end, start))
    # Over the central bias to the output.
    top = 2.5 + HEIGHT / 2
    arrow(axes, (7.5, top), (15.0, top), bend=-0.08)
    dashed = {"style": "--", "colour": "#b03a3a"}
    arrow(axes, (7.2, top), (5.2, top), bend=0.45, **dashed)
    feedback = "feedback=True: saliency of t-1\nweights the input of t"
    axes.text(5.2, 3.55, feedback, ha="center", va="center", fontsize=8, color="#b03a3a")
    arrow(axes, (7.5 - WIDTH / 2, 1.2), (2.5 + WIDTH / 2, 1.2), bend=0.12, **dashed)
    clip = 'attend="clip": frames x saliency\nthrough the same trunk again'
    axes.text(5.45, 1.68, clip, ha="center", va="center", fontsize=8, color="#b03a3a")
    axes.set_xlim(-1.1, 16.1)
    axes.set_ylim(-0.5, 3.8)
    axes.set_aspect("equal")
    axes.axis("off")
    path = Path(__file__).with_name("joint_graph.png")
    figure.savefig(path, bbox_inches="tight", pad_inches=0.05, metadata={"Software": None})


if __name__ == "__main__":
    main()
