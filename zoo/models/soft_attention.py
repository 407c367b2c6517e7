"""Action recognition with soft attention over the positions of each frame."""

from __future__ import annotations

import keras

from zoo.layers.attention.attention_lstm import AttentionLSTM
from zoo.layers.channels_last import channels_last
from zoo.models.frame_features import check_classes, frame_features
from zoo.models.loading import load_into


@channels_last
def soft_attention(
    *,
    num_classes: int = 51,
    num_frames: int | None = 30,
    image_size: int | tuple[int, int] = 224,
    backbone: str | keras.Model | None = "googlenet",
    feature_shape: tuple[int, int, int] = (7, 7, 1024),
    attention: str = "location",
    units: int = 512,
    num_layers: int = 3,
    penalty: float = 0.0,
    dropout: float = 0.5,
    weight_decay: float = 1e-5,
    multi_label: bool = False,
    trainable_backbone: bool = False,
    backbone_weights: str | None = None,
    weights: str | None = None,
    name: str = "soft_attention",
) -> keras.Model:
    """Soft attention: LSTMs attend to positions of each frame to recognise the action.

    Args:
        num_classes: Number of actions.
        num_frames: Number of frames in a block, each with one glimpse; None for any.
        image_size: Side, or (height, width), of the frames.
        backbone: "googlenet", "resnet50" or "efficientnet_lite"; or a model of one frame, or of a
            video, such as `zoo.backbones.small_video`; or None to take features as input.
        feature_shape: With `backbone=None`, shape of one frame's feature map.
        attention: "location" as in the paper, "additive" as in the released code; "average" or
            "max" for the baselines that pool over positions.
        units: Number of units of the LSTMs and of the hidden layer before the classifier.
        num_layers: Number of LSTMs; 3 in the paper, which tried 1 to 5.
        penalty: lambda, weight of the doubly stochastic penalty: 0, 1 or 10 in the paper. The
            penalty is a mean over the batch, like the losses of Keras by default.
        dropout: Dropout rate on all connections that are not recurrent.
        weight_decay: gamma, factor of the sum of squares of this head's matrices.
        multi_label: Use sigmoids instead of a softmax.
        trainable_backbone: False freezes the backbone.
        backbone_weights: Weight file for the backbone, or the name of a record, see
            `zoo.weights`. A record also determines the variant of the backbone.
        weights: Weight file for the whole model.
        name: Name of the model.

    Input: `rgb` (batch, time, height, width, 3), raw RGB, 0 to 255; or `features` (batch, time,
    *feature_shape).

    Output: {"action": (batch, time, num_classes) probabilities, "spatial_attention": (batch,
    time, 7, 7)}; without "spatial_attention" with pooling. A video's prediction is the mean of
    "action".

    Raises:
        ValueError: An argument is out of range.

    Example:

    ```python
    model = zoo.soft_attention(num_classes=11)
    model.compile("adam", loss={"action": zoo.losses.StepCrossEntropy()})
    ```

    Reference: Sharma, Kiros and Salakhutdinov, Action recognition using visual attention, ICLR
    2016 workshop, sections 3 and 4.
    """
    check_classes(num_classes)
    inputs, features = frame_features(
        backbone,
        num_frames=num_frames,
        image_size=image_size,
        feature_shape=feature_shape,
        trainable=trainable_backbone,
        weights=backbone_weights,
    )
    decay = keras.regularizers.L2(weight_decay) if weight_decay else None
    states, looked = AttentionLSTM(
        units,
        num_layers=num_layers,
        attention=attention,
        dropout=dropout,
        penalty=penalty,
        kernel_regularizer=decay,
        name="recurrent",
    )(features)
    x = keras.layers.Dropout(dropout, name="dropout_states")(states)
    x = keras.layers.Dense(units, "tanh", kernel_regularizer=decay, name="hidden")(x)
    x = keras.layers.Dropout(dropout, name="dropout_hidden")(x)
    action = keras.layers.Dense(
        num_classes,
        "sigmoid" if multi_label else "softmax",
        kernel_regularizer=decay,
        dtype="float32",
        name="action",
    )(x)
    outputs = {"action": action}
    if attention in ("location", "additive"):
        outputs["spatial_attention"] = looked
    model = keras.Model(inputs, outputs, name=name)
    if weights is not None:
        load_into(model, weights)
    return model
