"""A baseline for the attention models that classifies each frame separately."""

from __future__ import annotations

import keras

from zoo.layers.channels_last import channels_last
from zoo.layers.per_step import PerStep
from zoo.models.frame_features import check_classes, frame_features
from zoo.models.loading import load_into


@channels_last
def frame_baseline(
    *,
    num_classes: int = 51,
    num_frames: int | None = 30,
    image_size: int | tuple[int, int] = 224,
    backbone: str | keras.Model | None = "googlenet",
    feature_shape: tuple[int, int, int] = (7, 7, 1024),
    features: str = "cube",
    average: bool = False,
    dropout: float = 0.0,
    weight_decay: float = 0.0,
    multi_label: bool = False,
    trainable_backbone: bool = False,
    backbone_weights: str | None = None,
    weights: str | None = None,
    name: str = "frame_baseline",
) -> keras.Model:
    """Softmax regression on each frame, without recurrence or attention.

    `features="cube"` is the softmax regression of Sharma et al.; `features="mean"` with
    `average=True` is the backbone averaged over frames of Meng et al. Their LSTMs with pooling
    are `zoo.soft_attention(attention="average")` and `"max"`.

    Args:
        num_classes: Number of actions.
        num_frames: Number of frames per video; None for any.
        image_size: Side, or (height, width), of the frames.
        backbone: "googlenet", "resnet50" or "efficientnet_lite"; or a model of one frame; or None
            to take features as input.
        feature_shape: With `backbone=None`, shape of one frame's feature map.
        features: "cube" for the whole feature map, "mean" for its mean over positions.
        average: Whether "action" is averaged over frames, (batch, num_classes).
        dropout: Dropout rate before the classifier.
        weight_decay: Factor of the sum of squares of the classifier's matrix.
        multi_label: Use sigmoids instead of a softmax.
        trainable_backbone: False freezes the backbone.
        backbone_weights: Weight file for the backbone, or the name of a record, see
            `zoo.weights`. A record also determines the variant of the backbone.
        weights: Weight file for the whole model.
        name: Name of the model.

    Input: as `zoo.soft_attention`. Output: {"action": (batch, time, num_classes)}, probabilities.

    Raises:
        ValueError: An argument is out of range.

    Example:

    ```python
    model = zoo.models.frame_baseline(num_classes=11)
    ```

    Reference: Sharma et al. 2016, section 4.2.1; Meng et al. 2019, Table 1.
    """
    check_classes(num_classes)
    if features not in ("cube", "mean"):
        raise ValueError(f"`features` must be 'cube' or 'mean'. Received: features={features!r}")
    inputs, x = frame_features(
        backbone,
        num_frames=num_frames,
        image_size=image_size,
        feature_shape=feature_shape,
        trainable=trainable_backbone,
        weights=backbone_weights,
    )
    pool = keras.layers.Flatten() if features == "cube" else keras.layers.GlobalAveragePooling2D()
    x = PerStep(pool, name="pool")(x)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    action = keras.layers.Dense(
        num_classes,
        "sigmoid" if multi_label else "softmax",
        kernel_regularizer=keras.regularizers.L2(weight_decay) if weight_decay else None,
        dtype="float32",
        name="action",
    )(x)
    if average:
        action = keras.layers.GlobalAveragePooling1D(name="mean_action", dtype="float32")(action)
    model = keras.Model(inputs, {"action": action}, name=name)
    if weights is not None:
        load_into(model, weights)
    return model
