"""The preference for the centre of a video's frames where nothing in them stands out."""

from __future__ import annotations

import keras
from keras import ops

from zoo.layers.saliency.centre_bias import log_gaussian
from zoo.layers.saliency.log_density import log_normalized
from zoo.layers.saliency.mixed_density import mixed_density
from zoo.layers.saliency.seen_side import LARGE, seen_side

# Centre and standard deviation, x and y, of the fixations on the stills that the general model was
# trained on, as fractions of the frame's sides.
CENTRE, SIGMA = (0.51, 0.46), (0.22, 0.18)
LARGEST = 0.6  # weight of the Gaussian that a small video has at most


@keras.saving.register_keras_serializable(package="zoo")
class VideoCentreBias(keras.layers.Layer):
    """Draws the density of a video's frames to the centre, the more the wider it is spread.

    Viewers of a video look at the centre more than viewers of a still picture, unless something
    stands out. With KL, the divergence of the density from a uniform one in nats, and a Gaussian
    in the centre, the density is multiplied by the Gaussian to the power of
    `strength * sigmoid((spread - KL) / softness)`, normalised, and mixed with the Gaussian. A
    video with few pixels covers a small angle, much of which is seen without moving the eyes, and
    shows few details to the network: below `LARGE` = 1000 pixels on the longer side, the Gaussian's
    weight in the mixture grows as `share * (LARGE / video_side)^3`, up to 0.6. A frame without
    earlier ones, such as a picture, keeps its density. No weights.

    Args:
        strength: largest power of the Gaussian, 0 or more.
        spread: divergence at which the power is half of that, in nats. A density that is uniform
            in a part of the frame and 0 elsewhere has a divergence of -log(the part's share).
        softness: of the step between a low and a high divergence, in nats.
        share: weight of the Gaussian in the mixture with the density of a large video, in [0, 1).
        video_side: longer side of the video, in pixels, before it was scaled for the model. None:
            1000 or more.

    Input: [log density; any map that is 0 where there is no earlier frame, such as an earlier
    frame's `FrameBrightness`], each (batch, time, rows, columns).

    Output shape: (batch, time, rows, columns), a log density, float32 whatever the policy is.

    Raises:
        ValueError: An argument is out of range.

    Example:

    ```python
    brightness = FrameBrightness()([rgb, log_density])
    log_density = VideoCentreBias()([log_density, Earlier(3)(brightness)])
    ```

    Reference: our own. The bias in videos: Tseng et al., Quantifying center bias of observers in
    free viewing of dynamic natural scenes, 2009.
    """

    def __init__(
        self,
        strength: float = 0.5,
        spread: float = 0.8,
        softness: float = 0.1,
        share: float = 0.05,
        video_side: int | None = None,
        **kwargs,
    ):
        kwargs.pop("dtype", None)
        super().__init__(dtype="float32", **kwargs)
        if strength < 0 or not softness > 0:
            raise ValueError(
                "`strength` must be 0 or more, and `softness` positive. "
                f"Received: strength={strength}, softness={softness}"
            )
        if not 0.0 <= share < 1.0:
            raise ValueError(f"`share` must be in [0, 1). Received: share={share}")
        self.strength = strength
        self.spread = spread
        self.softness = softness
        self.share = share
        self.video_side = video_side
        growth = (LARGE / seen_side(video_side)) ** 3
        self.weight = min(max(share, LARGEST), share * growth)

    def call(self, inputs):
        log_density, earlier = inputs
        rows, columns = ops.shape(log_density)[-2:]
        bias = log_gaussian(rows, columns, CENTRE, [1 / sigma for sigma in SIGMA])
        size = ops.cast(rows, "float32") * ops.cast(columns, "float32")
        relative = log_density + ops.log(size)  # 0 everywhere where it is uniform
        divergence = ops.sum(ops.exp(log_density) * relative, axis=(-2, -1), keepdims=True)
        power = self.strength * ops.sigmoid((self.spread - divergence) / self.softness)
        drawn = ops.exp(log_normalized(log_density + power * bias))
        gaussian = ops.exp(log_normalized(bias))
        mixed = mixed_density(drawn, gaussian, self.weight)
        follows = ops.max(earlier, axis=(-2, -1), keepdims=True) > 0
        return ops.where(follows, mixed, log_density)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape[0])

    def get_config(self):
        names = ("strength", "spread", "softness", "share", "video_side")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
