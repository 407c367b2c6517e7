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
    """Spatio-temporal attention: a mask on each frame and weights of the frames give the action.

    Args:
        num_classes: Number of actions.
        num_frames: Number of frames n of a video; None for any, which requires `steps`.
        steps: Number of steps T of the recurrence; by default the number of frames.
        image_size: Side, or (height, width), of the frames; 256 gives 8x8 features.
        backbone: "resnet50", "googlenet" or "efficientnet_lite"; or a model of one frame, or of a
            video, such as `zoo.backbones.small_video`; or None to take features as input.
        feature_shape: With `backbone=None`, shape of one frame's feature map.
        spatial_attention: Whether to use the spatial mask.
        temporal_attention: Whether to use temporal attention; otherwise step t reads frame t.
        mask_filters: Numbers of channels of the mask's convolutions, without the last one.
        initial_mask: Value of the mask before training, see `zoo.layers.SpatialMask`.
        filters: Number of channels of the recurrence.
        kernel_size: Kernel size of the recurrence.
        score: See `zoo.layers.TemporalSoftAttention`; "sum" is that of the paper.
        score_units: Width of the score's hidden layer.
        average: Whether the weighted sum of the frames is divided by n, as in the paper.
        tv: Weight of the mask's total variation, 0 for none.
        contrast: Weight of the mask's contrast, 0 for none.
        unimodality: Weight of the temporal weights' log-concavity, 0 for none.
        padded: Add an input `present` (batch, n) with 0 at frames that are padding.
        multi_label: Use sigmoids instead of a softmax.
        trainable_backbone: False freezes the backbone.
        backbone_weights: Weight file for the backbone, or the name of a record, see
            `zoo.weights`. A record also determines the variant of the backbone.
        weights: Weight file for the whole model.
        name: Name of the model.

    Input: `rgb` (batch, n, height, width, 3), raw RGB, 0 to 255; or `features` (batch, n,
    *feature_shape).

    Output: {"action": (batch, num_classes) probabilities, "spatial_attention": (batch, n, 7, 7),
    "temporal_attention": (batch, T, n)}, without the attention that is switched off.

    Raises:
        ValueError: An argument is out of range, or arguments contradict each other.

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
            "Without temporal attention, `steps` must not be given, because step t reads frame t. "
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
