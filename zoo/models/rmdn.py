"""The recurrent mixture density network."""

from __future__ import annotations

import math

import keras

from zoo.layers.channels_last import channels_last
from zoo.layers.projected_lstm import ProjectedLSTM
from zoo.layers.saliency.local_mixture import LocalMixture
from zoo.layers.saliency.mixture_density import MixtureDensity
from zoo.models.loading import load_into
from zoo.models.trunk import as_maps, video_trunk

CELLS = {"lstm": ProjectedLSTM, "rnn": keras.layers.SimpleRNN}


@channels_last
def rmdn(
    *,
    num_frames: int | None = None,
    image_size: int | tuple[int, int] = 112,
    backbone: str | keras.Model | None = "c3d",
    width: float = 1.0,
    endpoint: str = "pool5",
    feature_shape: tuple[int, ...] | None = None,
    cell: str | None = "lstm",
    units: int = 256,
    num_layers: int = 1,
    num_components: int = 20,
    min_sigma: float = 0.01,
    local: bool = False,
    dropout: float = 0.5,
    dense: bool = False,
    causal: bool = False,
    normalization: bool = False,
    preprocessing: str | None = None,
    trainable_backbone: bool = True,
    backbone_weights: str | None = None,
    weights: str | None = None,
    name: str = "rmdn",
) -> keras.Model:
    """RMDN: where people look in each frame, as a mixture of Gaussians over the frame.

    Args:
        num_frames: length of the videos, or None for any length.
        image_size: side, or (height, width), of the frames.
        backbone: "c3d"; or "googlenet", "resnet50" or "efficientnet_lite", which give one feature
            a frame, without a look ahead; or a model that maps a clip (16, height, width, 3) to
            a feature, or with `dense` a video to one feature a frame; or None to take features as
            input.
        width: multiplies C3D's filters, for small versions.
        endpoint: C3D's activation that is used: "conv5b", "pool5", "fc6" or "fc7".
        feature_shape: with `backbone=None`, shape of one step's feature. Default: that of C3D
            with the given `image_size`, `width`, `endpoint` and `dense`.
        cell: "lstm", "rnn", or None for no recurrence.
        units: hidden units of each recurrent layer.
        num_layers: recurrent layers.
        num_components: Gaussians C; with `local` there are as many more as the feature map has
            places, and 0 leaves those alone.
        min_sigma: smallest standard deviation, as a share of the frame's side.
        local: beside the C Gaussians of the recurrent state, one around each place of the
            feature map (`zoo.layers.LocalMixture`), so that what is learned of an object in one
            place holds in all. Needs the end point "conv5b" or "pool5". The recurrence then gets
            the map pooled 2 by 2. Ours, not the paper's.
        dropout: on the hidden output (on the features if there is no recurrence).
        dense: one prediction a frame from one pass over the whole video, see `zoo.backbones.c3d`.
        causal: with `dense`, no frame looks ahead.
        normalization: batch normalisation in C3D, for training from scratch.
        preprocessing: C3D's input normalisation, see `zoo.backbones.c3d`; None for that of
            `backbone_weights`.
        trainable_backbone: False freezes the backbone.
        backbone_weights: weight file for the backbone, or the name of a record, see
            `zoo.weights`. It chooses C3D's padding, and the preprocessing unless that is given.
        weights: weights file for the whole model.
        name: name of the model.

    Input: `rgb` (batch, time, height, width, 3), raw RGB, 0 to 255; or `features`
    (batch, steps, *feature_shape).

    Output: {"mixture": (batch, steps, C, 6)}, see `zoo.layers.MixtureDensity`. There are
    time - 15 steps, of which step s looks at frames s to s + 15 and predicts the last of them;
    with `dense` there is one a frame.

    Example:

    ```python
    model = zoo.rmdn(width=0.25)
    model.compile("rmsprop", loss={"mixture": zoo.losses.MixtureNLL()})
    maps = zoo.layers.mixture_map(model(video)["mixture"], 112, 112)
    ```

    Reference: Bazzani, Larochelle and Torresani, Recurrent Mixture Density Network for
    Spatiotemporal Visual Attention, ICLR 2017, sections 3 and 4, Table 1.
    """
    if cell not in (None, *CELLS):
        raise ValueError(f'`cell` must be "lstm", "rnn" or None. Received: cell={cell!r}')
    if num_layers < 1:
        raise ValueError(f"`num_layers` must be at least 1. Received: num_layers={num_layers}")
    inputs, x, _ = video_trunk(
        backbone,
        num_frames=num_frames,
        feature_shape=feature_shape,
        trainable=trainable_backbone,
        weights=backbone_weights,
        image_size=image_size,
        width=width,
        endpoint=endpoint,
        dense=dense,
        causal=causal,
        normalization=normalization,
        preprocessing=preprocessing,
    )
    settings = (cell, units, num_layers, num_components, min_sigma, dropout)
    mixture = mixture_head(x, *settings, local=local)
    model = keras.Model(inputs, {"mixture": mixture}, name=name)
    if weights is not None:
        load_into(model, weights)
    return model


def mixture_head(
    x, cell, units, num_layers, num_components, min_sigma, dropout, *, local: bool = False
):
    """Features of any shape a step, to the mixture of every step; see `rmdn` for the arguments."""
    if local and len(x.shape) < 5:
        raise ValueError(
            '`local` needs feature maps: use the end point "conv5b" or "pool5". '
            f"Received: features of shape {tuple(x.shape)}"
        )
    maps = None
    if local:
        maps = as_maps(x)
        x = keras.layers.MaxPooling3D((1, 2, 2), padding="same", name="pool_places")(maps)
    if len(x.shape) > 3:
        x = keras.layers.Reshape((-1, math.prod(x.shape[2:])), name="flatten")(x)
    if cell is not None:
        for i in range(num_layers):
            x = CELLS[cell](units, return_sequences=True, name=f"recurrent_{i}")(x)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    if not local:
        return MixtureDensity(num_components, min_sigma=min_sigma, name="mixture")(x)
    if not num_components:
        return LocalMixture(min_sigma=min_sigma, name="mixture")(maps, x)
    state = MixtureDensity(num_components, min_sigma=min_sigma, name="mixture_state")(x)
    around = LocalMixture(min_sigma=min_sigma, name="mixture_local")(maps, x)
    return keras.layers.Concatenate(-2, dtype="float32", name="mixture")([state, around])
