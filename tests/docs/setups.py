"""Prepares what the snippets of each page assume, such as a video and a trained model."""

from __future__ import annotations

from typing import Any

import zoo

# A snippet with one of these needs what the tests do not have: published data and weights, or
# several devices or machines on JAX. Its imports are run and its calls checked against the
# functions' signatures.
PUBLISHED = ("ucf101.load(a)", "sport1m_iter", "keras.distribution")


def small_options() -> dict[str, dict[str, Any]]:
    """Arguments by builder: the snippets' own networks would take gigabytes and minutes to run."""
    cnn = zoo.backbones.small_cnn(image_size=32)
    return {
        "rmdn": {"image_size": 32, "width": 0.05, "units": 4},
        "joint": {"image_size": 32, "width": 0.05, "units": 4},
        "lsts": {"image_size": 64, "width": 0.05, "num_frames": 24},
        "soft_attention": {"backbone": cnn, "units": 4},
        "spatiotemporal_attention": {"backbone": cnn, "num_frames": 8},
    }


NUMPY = """
import numpy as np
import zoo
rng = np.random.default_rng(0)
"""
CLIP = """
from zoo.datasets.video.writer import VideoWriter
with VideoWriter("{name}.mp4", fps=25, height=48, width=64) as writer:
    for _ in range({frames}):
        writer.write(rng.integers(0, 255, (48, 64, 3), dtype=np.uint8))
"""
GAZE = """
from pathlib import Path
Path("gaze.csv").write_text(
    "frame,x,y,viewer\\n" + "".join(f"{n},{20 + n % 9},{20 + n % 7},1\\n" for n in range(60))
)
Path("videos.csv").write_text("video,split,gaze\\nNAME.mp4,train,gaze.csv\\n")
"""

SETUPS = {
    "docs/commands.md": NUMPY + CLIP.format(name="clip", frames=30),
    "docs/data.md": NUMPY
    + CLIP.format(name="clip", frames=60)
    + GAZE.replace("NAME", "clip")
    + """
from zoo.datasets import moving_targets
others = moving_targets.make("others", num_videos=3, frames=48, size=(112, 112), seed=1)
model = zoo.rmdn(image_size=112, num_components=2)
model.compile("adam", loss={"mixture": zoo.losses.MixtureNLL()})
""",
    "docs/devices.md": NUMPY
    + """
import keras
import tensorflow as tf
dataset = tf.data.Dataset.from_tensors(
    (np.zeros((2, 17, 32, 32, 3), "float32"), {"mixture": np.full((2, 2, 1, 2), 0.5, "float32")})
)
""",
    "docs/general.md": NUMPY + CLIP.format(name="clip", frames=50),
    "docs/export.md": NUMPY + "model = zoo.rmdn(dense=True, num_components=2)\n",
    "docs/joint.md": NUMPY
    + CLIP.format(name="clip", frames=50)
    + """
video = rng.integers(0, 255, (2, 18, 32, 32, 3)).astype("float32")
fixations, labels = rng.uniform(size=(2, 3, 5, 2)), np.array([3, 7])
has_gaze, has_label = np.array([1.0, 1.0]), np.array([1.0, 0.0])
names = [str(number) for number in range(12)]
""",
    "docs/lsts.md": NUMPY
    + CLIP.format(name="clip", frames=101)
    + """
rgb = rng.integers(0, 255, (1, 24, 64, 64, 3)).astype("float32")
flow = rng.normal(size=(1, 24, 64, 64, 2)).astype("float32")
""",
    "docs/metrics.md": NUMPY
    + """
saliency, truth, baseline = rng.uniform(size=(3, 2, 12, 16)).astype("float32")
fixations, other_fixations = (rng.uniform(size=(2, 2, 12, 16)) < 0.1).astype("float32")
video_ids = np.array(["a", "b"])
model = zoo.rmdn(dense=True, num_components=2)
spatial_attention, height, width = rng.uniform(size=(4, 7, 7)), 48, 64
temporal_attention, seconds, label, probability = rng.uniform(size=4), 2.0, 0, 0.5
from zoo.datasets.record import Record, Segment, Tube
boxes, ambiguous = np.float32([[0, 0, 20, 20]] * 4), []
records = [
    Record("clip_1", "clip.mp4", boxes=(Tube(0, 0, boxes),), segments=(Segment(0, 0.0, 1.0),))
]
""",
    "docs/rmdn.md": NUMPY,
    "docs/soft_attention.md": NUMPY
    + """
frames = rng.integers(0, 255, (30, 32, 32, 3), dtype=np.uint8)
video = frames[None].astype("float32")
""",
    "docs/spatiotemporal_attention.md": NUMPY
    + """
frames = rng.integers(0, 255, (8, 32, 32, 3), dtype=np.uint8)
video = frames[None].astype("float32")
""",
    "docs/speed.md": NUMPY
    + "chunks = rng.integers(0, 255, (3, 40, 32, 32, 3)).astype('float32')\n",
    "docs/live.md": NUMPY + "frames = rng.integers(0, 255, (20, 48, 64, 3), dtype=np.uint8)\n",
    "docs/your_own_video.md": NUMPY + CLIP.format(name="clip", frames=30),
    "docs/train_on_your_own_videos.md": NUMPY
    + """
zoo.soft_attention(num_classes=3).save("model.keras")
import os
os.makedirs("runs/mine")
os.rename("model.keras", "runs/mine/model.keras")
""",
    "docs/training.md": NUMPY
    + """
import keras
import tensorflow as tf
model = zoo.rmdn(dense=True, num_components=2)
model.compile("adam", loss={"mixture": zoo.losses.MixtureNLL()})
dataset = tf.data.Dataset.from_tensors(
    (np.zeros((1, 6, 32, 32, 3), "float32"), {"mixture": np.full((1, 6, 1, 2), 0.5, "float32")})
)
""",
    "docs/prepare.md": NUMPY
    + CLIP.format(name="clip_1", frames=70)
    + GAZE.replace("NAME", "clip_1")
    + """
from zoo.cli.main import main
options = ["--frames", "--features", "c3d", "--features-options", '{"width": 0.05}']
assert main(["prepare", "csv", "videos.csv", "prepared", *options, "-j", "1"]) == 0
backbone = zoo.backbones.c3d(width=0.05, image_size=112)
""",
}
