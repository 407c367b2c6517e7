"""The head of LSTS: from features of several steps to one saliency map."""

from __future__ import annotations

import keras
from keras import layers

from zoo.layers.batch_normalization import BatchNormalization
from zoo.layers.cropping import FastCropping2D
from zoo.layers.saliency_map import SaliencyMap

# Kernel, stride and published output channels of the seven transposed convolutions.
STAGES = (
    ((3, 3), (2, 2), 512),
    ((4, 3), (3, 2), 256),
    ((1, 3), (1, 2), 128),
    ((4, 3), (3, 2), 64),
    ((1, 3), (1, 2), 16),
    ((3, 3), (2, 2), 4),
    ((3, 3), (2, 2), 2),
)
# Do not scale down to fewer channels than this: a map of a single ReLU channel dies easily.
FEWEST_CHANNELS = 8


class Head:
    """Creates the layers of the head, which share the variant, width and weight decay."""

    def __init__(self, variant, output_size, facts, width, weight_decay, dropout):
        self.released = variant == "released"
        self.output_size = output_size
        self.facts = facts  # of the map, see `SaliencyMap`
        self.width = width
        self.dropout = dropout
        self.regularizer = keras.regularizers.L2(weight_decay / 2) if weight_decay else None

    def channels(self, published):
        return max(min(published, FEWEST_CHANNELS), round(published * self.width))

    def normalise(self, stage):
        return BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{stage}_norm")

    def first(self, steps) -> list:
        """The convolution over all steps, with the layers before and after it."""
        found = [layers.SpatialDropout3D(self.dropout, name="dropout")] if self.dropout else []
        found.append(
            layers.Conv3D(
                self.channels(512),
                (steps, 1, 1),
                kernel_regularizer=self.regularizer,
                name="convolution",
            )
        )
        if self.released:
            found.append(self.normalise("convolution"))
        return [*found, layers.ReLU(name="convolution_relu")]

    def decode(self, x):
        """The transposed convolutions, from (batch, rows, columns, channels) to the map."""
        for number, (kernel, stride, filters) in enumerate(STAGES, start=1):
            stage = f"stage_{number}"
            enough = all(n * s >= m for n, s, m in zip(x.shape[1:3], stride, self.output_size))
            last = number == len(STAGES) or enough
            x = layers.Conv2DTranspose(
                1 if last and not self.released else self.channels(filters),
                kernel,
                strides=stride,
                padding="valid",
                kernel_regularizer=self.regularizer,
                name=f"{stage}_convolution",
            )(x)
            # PyTorch's padding 1 and output padding 1 drop the first row and column of the full
            # result and keep the last ones. Keras's "same" would drop the last ones instead.
            x = FastCropping2D(tuple((int(k > 1), 0) for k in kernel), name=stage)(x)
            if self.released:
                x = self.normalise(stage)(layers.ReLU(name=f"{stage}_relu")(x))
            elif not last:
                x = layers.ReLU(name=f"{stage}_relu")(self.normalise(stage)(x))
            if last:
                break
        if self.released:
            x = layers.Conv2D(1, 1, kernel_regularizer=self.regularizer, name="map_convolution")(x)
        return SaliencyMap(*self.output_size, **self.facts, name="saliency")(x)


def clip_head(feature_shape, *settings) -> keras.Model:
    """The head for the features of one clip, (steps, rows, columns, channels)."""
    head = Head(*settings)
    inputs = x = keras.Input(feature_shape, name="features")
    for layer in head.first(feature_shape[0]):
        x = layer(x)
    x = layers.Reshape((*x.shape[2:4], x.shape[-1]), name="squeeze")(x)
    return keras.Model(inputs, head.decode(x), name="head")
