"""Action recognition with a spatial mask and temporal attention before a convolutional LSTM."""

from __future__ import annotations

import keras

from zoo.layers.attention.attention_conv_lstm import AttentionConvLSTM
from zoo.layers.attention.spatial_mask import SpatialMask
from zoo.layers.channels_last import channels_last
from zoo.models.frame_features import check_classes, frame_features
from zoo.models.loading import load_into


@channels_last
def spatiotemporal_attention(
    *,
    num_classes: int = 51,
    num_frames: int | None = 50,
    steps: int | None = None,
    image_size: int | tuple[int, int] = 224,
    backbone: str | keras.Model | None = "resnet50",
    feature_shape: tuple[int, int, int] = (7, 7, 2048),
    spatial_attention: bool = True,
    temporal_attention: bool = True,
    mask_filters: tuple[int, ...] = (1024, 512),
    initial_mask: float = 0.5,
    filters: int = 512,
    kernel_size: int = 3,
    score: str = "additive",
    score_units: int = 512,
    average: bool = True,
    tv: float = 1e-5,
    contrast: float = 1e-4,
    unimodality: float = 1.0,
    padded: bool = False,
    multi_label: bool = False,
    trainable_backbone: bool = False,
    backbone_weights: str | None = None,
    weights: str | None = None,
    name: str = "spatiotemporal_attention",
) -> keras.Model:
    """Meng et al.: where to look by a mask on each frame, when to look by weights on the frames.

    Args:
        num_classes: Number of actions.
        num_frames: Frames n of a video; None for any, then `steps` must be given.
        steps: Steps T of the recurrence; by default as many as frames.
        image_size: Height and width of the frames; 256 gives 8x8 features.
        backbone: "resnet50", "googlenet", "efficientnet_lite"; or a model of one
            frame, or of a video, such as `zoo.backbones.small_video`; or None to take features.
        feature_shape: With `backbone=None`, of one frame's feature map.
        spatial_attention: False leaves the mask out.
        temporal_attention: False lets step t read frame t.
        mask_filters: Channels of the mask's convolutions before the last.
        initial_mask: What the mask is before training, see `zoo.layers.SpatialMask`.
        filters: Channels of the recurrence.
        kernel_size: Of the recurrence.
        score: See `zoo.layers.TemporalSoftAttention`; "sum" is as printed.
        score_units: Width of the score's hidden layer.
        average: Whether the weighted sum of the frames is divided by n, as printed.
        tv: Weight of the mask's total variation, 0 for none.
        contrast: Weight of the mask's contrast, 0 for none.
        unimodality: Weight of the temporal weights' log-concavity, 0 for none.
        padded: Adds an input `present` (batch, n): 0 at frames that are padding.
        multi_label: Sigmoids in the place of the softmax.
        trainable_backbone: False freezes the backbone.
        backbone_weights: Weight file for the backbone, or the name of a record, see
            `zoo.weights`. It chooses the backbone's graph.
        weights: Weights file for the whole model.
        name: Name of the model.

    Input: `rgb` (batch, n, height, width, 3), raw RGB, 0 to 255; or `features` (batch, n,
    *feature_shape).

    Output: {"action": (batch, num_classes) probabilities, "spatial_attention": (batch, n, 7, 7),
    "temporal_attention": (batch, T, n)}, without what is switched off.

    Example:

    ```python
    model = zoo.spatiotemporal_attention(num_classes=101)
    model.compile("adam", loss={"action": "sparse_categorical_crossentropy"})
    ```

    Reference: Meng et al., Interpretable spatio-temporal attention for video action recognition,
    2019, sections 3 and 4, Table 1.
    """
    check_classes(num_classes)
    if not temporal_attention and None not in (steps, num_frames) and steps != num_frames:
        raise ValueError(
            "Without temporal attention step t reads frame t: leave `steps` out. "
            f"Received: steps={steps}, num_frames={num_frames}"
        )
    inputs, x = frame_features(
        backbone,
        num_frames=num_frames,
        image_size=image_size,
        feature_shape=feature_shape,
        trainable=trainable_backbone,
        weights=backbone_weights,
    )
    present = keras.Input((num_frames,), name="present") if padded else None
    outputs = {}
    if spatial_attention:
        mask_layer = SpatialMask(
            mask_filters, tv=tv, contrast=contrast, initial_mask=initial_mask, name="spatial"
        )
        x, outputs["spatial_attention"] = mask_layer(x, mask=present)
    recurrence = AttentionConvLSTM(
        filters,
        steps=steps if temporal_attention else None,
        kernel_size=kernel_size,
        score=score if temporal_attention else None,
        units=score_units,
        average=average,
        unimodality=unimodality,
        name="recurrent",
    )
    if temporal_attention:
        states, outputs["temporal_attention"] = recurrence(x, mask=present)
    else:
        states = recurrence(x, mask=present)
    x = keras.layers.GlobalAveragePooling3D(name="mean_state")(states)
    outputs["action"] = keras.layers.Dense(
        num_classes,
        "sigmoid" if multi_label else "softmax",
        dtype="float32",
        name="action",
    )(x)
    model = keras.Model([inputs, present] if padded else inputs, outputs, name=name)
    if weights is not None:
        load_into(model, weights)
    return model
