"""A joint model of saliency and action."""

from __future__ import annotations

import keras

from zoo.layers.attention.temporal_soft_attention import TemporalSoftAttention
from zoo.layers.channels_last import channels_last
from zoo.layers.per_step import PerStep
from zoo.layers.saliency.central_bias_diffusion import CentralBiasDiffusion
from zoo.layers.saliency.saliency_feedback import SaliencyFeedback
from zoo.layers.saliency.saliency_weighting import SaliencyWeighting
from zoo.layers.saliency.teacher_saliency import TeacherSaliency
from zoo.layers.task_uncertainty import TaskUncertainty
from zoo.models.frame_features import check_classes
from zoo.models.joint_model import JointModel
from zoo.models.loading import load_into
from zoo.models.rmdn import CELLS, mixture_head
from zoo.models.trunk import as_maps, video_trunk

ATTEND = ("clip", "feature", None)
POOLING = ("max", "mean", "attention")


@channels_last
def joint(
    *,
    num_classes: int = 12,
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
    attend: str | None = "feature",
    attention_gradient: bool = True,
    central_bias: int = 0,
    feedback: bool = False,
    feedback_floor: float = 0.25,
    teacher_forcing: bool = False,
    pooling: str = "max",
    unimodality: float = 1.0,
    score_units: int = 128,
    action_units: int | None = None,
    action_dropout: float = 0.5,
    multi_label: bool = False,
    uncertainty: bool = False,
    trainable_backbone: bool = True,
    backbone_weights: str | None = None,
    weights: str | None = None,
    name: str = "joint",
) -> keras.Model:
    """Joint model: where people look in each frame and what the video shows, from one trunk.

    Args:
        num_classes: Number of actions.
        num_frames: This and all options up to `preprocessing` are those of `zoo.rmdn`.
        attend: What the predicted saliency weights in the attended branch: "feature": the trunk's
            feature map; "clip": the frames, which pass through the shared trunk again; None: there
            is no attended branch, and the action is predicted from the context only.
        attention_gradient: Whether the loss of the action also trains the saliency.
        central_bias: Number of Gaussians of a trained central bias that the layer "central_bias"
            mixes into the saliency of the attended branch; 0 for none. See
            `CentralBiasDiffusion`.
        feedback: Whether the saliency of step t-1 weights the input of step t, see
            `SaliencyFeedback`.
        feedback_floor: With `feedback`, the weight of positions without saliency.
        teacher_forcing: With `feedback`, add a second input `fixations` (batch, steps, A, 2);
            where it is not NaN, the true saliency replaces the predicted one. The weights are the
            same as without this option.
        pooling: Pooling over the steps: "max", "mean", or "attention" (`TemporalSoftAttention`).
        unimodality: Weight of the log-concavity of the temporal attention.
        score_units: Width of the temporal attention's score.
        action_units: Number of hidden units for each step before the pooling; None for no hidden
            layer, as in the paper.
        action_dropout: Dropout rate before the classifier.
        multi_label: Use sigmoids instead of a softmax.
        uncertainty: Whether the losses are weighted by learned uncertainty, see
            `TaskUncertainty`.
        trainable_backbone: False freezes the trunk.
        backbone_weights: Weight file for the trunk, or the name of a record, see `zoo.weights`.
        weights: Weight file for the whole model.
        name: Name of the model.

    Input: `rgb` (batch, time, height, width, 3), raw RGB, 0 to 255; or `features`
    (batch, steps, *feature_shape). With `teacher_forcing` a dict of this input and `fixations`.

    Output: {"mixture": (batch, steps, C, 6), "action": (batch, num_classes) probabilities}; with
    pooling "attention" also "temporal_attention": (batch, steps). Steps are as in `zoo.rmdn`.

    Raises:
        ValueError: An argument is out of range, or arguments contradict each other.

    Example:

    ```python
    model = zoo.joint(num_classes=12)
    model.compile("rmsprop", loss={"mixture": zoo.losses.MixtureNLL(),
                                   "action": "sparse_categorical_crossentropy"})
    model.fit(video, {"mixture": fixations, "action": labels},
              sample_weight={"mixture": has_gaze, "action": has_label})
    ```

    Reference: Bazzani, Larochelle and Torresani, Recurrent Mixture Density Network for
    Spatiotemporal Visual Attention, ICLR 2017, sections 3.4 and 5, appendix A.
    """
    check_classes(num_classes)
    _check(cell, num_layers, attend, pooling, feedback, teacher_forcing, central_bias, backbone)
    if local and feedback:
        raise ValueError(
            "Only one of `feedback` and `local` may be used: both determine where the mixture is "
            "computed. Received: local=True, feedback=True"
        )
    inputs, features, trunk = video_trunk(
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
    has_maps = len(features.shape) >= 5
    if not has_maps and (attend == "feature" or feedback):
        raise ValueError(
            'With attend="feature" or `feedback`, features must be maps: use the end point '
            f'"conv5b" or "pool5". Received: features of shape {tuple(features.shape)}'
        )
    maps = as_maps(features) if has_maps else features
    fixations = None
    if feedback:
        x = maps
        if teacher_forcing:
            fixations = keras.Input((None, None, 2), name="fixations")
            x = TeacherSaliency(name="teacher")(maps, fixations)
        mixture = SaliencyFeedback(
            units,
            num_layers=num_layers,
            cell=cell,
            num_components=num_components,
            min_sigma=min_sigma,
            dropout=dropout,
            floor=feedback_floor,
            teacher=teacher_forcing,
            name="feedback",
        )(x)
        mixture = keras.layers.Identity(dtype="float32", name="mixture")(mixture)
    else:
        settings = (cell, units, num_layers, num_components, min_sigma, dropout)
        x = maps if local else features
        mixture = mixture_head(x, *settings, local=local, prior=prior)

    saliency = mixture
    if central_bias:
        saliency = CentralBiasDiffusion(central_bias, name="central_bias")(mixture)
    branches = [_summary(maps, "context")]
    if attend == "feature":
        weighting = SaliencyWeighting("mean", gradient=attention_gradient, name="weighting")
        branches.append(_summary(weighting(maps, saliency), "attended"))
    elif attend == "clip":
        weighting = SaliencyWeighting("max", gradient=attention_gradient, name="weighting")
        again = trunk(weighting(inputs, saliency))
        branches.append(_summary(as_maps(again) if has_maps else again, "attended"))
    x = branches[0]
    if len(branches) > 1:
        x = keras.layers.Concatenate(name="branches")(branches)
    # Per-step features end here; `zoo.predict` cuts the model at this layer.
    x = keras.layers.Identity(name="steps")(x)
    if action_units is not None:
        x = keras.layers.Dense(action_units, "relu", name="action_hidden")(x)
    outputs = {"mixture": mixture}
    if pooling == "attention":
        pool = TemporalSoftAttention(score_units, unimodality=unimodality, name="temporal")
        x, outputs["temporal_attention"] = pool(x)
    elif pooling == "max":
        x = keras.layers.GlobalMaxPooling1D(name="temporal")(x)
    else:
        x = keras.layers.GlobalAveragePooling1D(name="temporal")(x)
    x = keras.layers.Dropout(action_dropout, name="action_dropout")(x)
    action = keras.layers.Dense(
        num_classes, "sigmoid" if multi_label else "softmax", dtype="float32", name="action"
    )(x)
    if uncertainty:
        action = TaskUncertainty(("mixture", "action"), name="uncertainty")(action)
    outputs["action"] = action
    if fixations is not None:
        inputs = {inputs.name: inputs, "fixations": fixations}
    model = JointModel(inputs, outputs, name=name)
    if weights is not None:
        load_into(model, weights)
    return model


def _summary(x, name: str):
    """One vector per step: the mean of its map over positions."""
    if len(x.shape) == 3:
        return keras.layers.Identity(name=name)(x)
    return PerStep(keras.layers.GlobalAveragePooling2D(), name=name)(x)


def _check(cell, num_layers, attend, pooling, feedback, teacher_forcing, central_bias, backbone):
    for key, value, known in (
        ("cell", cell, (*CELLS, None)),
        ("attend", attend, ATTEND),
        ("pooling", pooling, POOLING),
    ):
        if value not in known:
            raise ValueError(f"`{key}` must be one of {known}. Received: {key}={value!r}")
    if num_layers < 1:
        raise ValueError(f"`num_layers` must be at least 1. Received: num_layers={num_layers}")
    if feedback and cell is None:
        raise ValueError(
            "`feedback` must be used with a recurrence. Received: feedback=True, cell=None"
        )
    if teacher_forcing and not feedback:
        raise ValueError(
            "`teacher_forcing` must be used with `feedback`. "
            "Received: teacher_forcing=True, feedback=False"
        )
    if central_bias < 0 or (central_bias and attend is None):
        raise ValueError(
            "`central_bias` must not be negative, and must be 0 without an attended branch. "
            f"Received: central_bias={central_bias}, attend={attend!r}"
        )
    if attend == "clip" and backbone is None:
        raise ValueError(
            'attend="clip" must be used with a backbone, because it weights frames. '
            'Received: attend="clip", backbone=None'
        )
