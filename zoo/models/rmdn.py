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
    prior: bool = False,
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
        num_frames: Length of the videos, or None for any length.
        image_size: Side, or (height, width), of the frames.
        backbone: "c3d"; or "googlenet", "resnet50", "efficientnet_lite" or "general_saliency",
            which give one feature per frame, without look-ahead; or a model that maps a clip (16,
            height, width, 3) to a feature or, with `dense`, a video to one feature per frame; or
            None to take features as input.
        width: Factor of C3D's numbers of filters, for smaller versions.
        endpoint: The layer of C3D to use: "conv5b", "pool5", "fc6" or "fc7".
        feature_shape: With `backbone=None`, shape of one step's feature. Default: that of C3D
            with the given `image_size`, `width`, `endpoint` and `dense`.
        cell: "lstm", "rnn", or None for no recurrence.
        units: Number of hidden units of each recurrent layer.
        num_layers: Number of recurrent layers.
        num_components: Number of Gaussians C computed from the recurrent state; with `local` it
            may be 0.
        min_sigma: Smallest standard deviation, as a fraction of the frame's side.
        local: Add one Gaussian around each position of the feature map
            (`zoo.layers.LocalMixture`), so that what is learned about an object in one place
            applies everywhere. Requires the end point "conv5b" or "pool5"; the input of the
            recurrence is then max-pooled 2 by 2. Our own addition, not in the paper.
        prior: With `local` and the backbone "general_saliency": the Gaussians of the positions
            start as the general model's density, and training changes it. Use `num_components=0`
            to start from exactly that density.
        dropout: Dropout rate on the hidden output (on the features without a recurrence).
        dense: Predict every frame in one pass over the whole video, see `zoo.backbones.c3d`.
        causal: With `dense`, no look-ahead.
        normalization: Use batch normalisation in C3D, for training from scratch.
        preprocessing: C3D's input normalisation, see `zoo.backbones.c3d`; None: that of
            `backbone_weights`.
        trainable_backbone: False freezes the backbone.
        backbone_weights: Weight file for the backbone, or the name of a record, see
            `zoo.weights`. It determines C3D's padding, and the preprocessing unless that is given.
        weights: Weight file for the whole model.
        name: Name of the model.

    Input: `rgb` (batch, time, height, width, 3), raw RGB, 0 to 255; or `features`
    (batch, steps, *feature_shape).

    Output: {"mixture": (batch, steps, C, 6)}, see `zoo.layers.MixtureDensity`. There are
    time - 15 steps; step s sees frames s to s + 15 and predicts the last of them. With `dense`
    there is one step per frame.

    Raises:
        ValueError: An argument is out of range, or arguments contradict each other.

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
    mixture = mixture_head(x, *settings, local=local, prior=prior)
    model = keras.Model(inputs, {"mixture": mixture}, name=name)
    if weights is not None:
        load_into(model, weights)
    return model


def mixture_head(
    x,
    cell,
    units,
    num_layers,
    num_components,
    min_sigma,
    dropout,
    *,
    local: bool = False,
    prior: bool = False,
):
    """The mixtures of all steps from features of any shape; arguments as in `rmdn`."""
    if prior and not local:
        raise ValueError("`prior` needs `local`. Received: prior=True, local=False")
    if local and len(x.shape) < 5:
        raise ValueError(
            'With `local`, features must be maps: use the end point "conv5b" or "pool5". '
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
        return LocalMixture(min_sigma=min_sigma, prior=prior, name="mixture")(maps, x)
    state = MixtureDensity(num_components, min_sigma=min_sigma, name="mixture_state")(x)
    around = LocalMixture(min_sigma=min_sigma, prior=prior, name="mixture_local")(maps, x)
    return keras.layers.Concatenate(-2, dtype="float32", name="mixture")([state, around])
