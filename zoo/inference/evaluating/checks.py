"""Checks of the arguments of `zoo.evaluate`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

import keras

from zoo.datasets.record import Record
from zoo.inference.evaluating.evaluation import safe_name
from zoo.inference.evaluating.scoring import BASELINES
from zoo.inference.streaming.pipeline import INITIAL
from zoo.inference.streaming.saliency_outputs import (
    output_names,
    saliency_output,
    takes_long_clips,
)
from zoo.models.loading import load


def check_settings(records, baselines, initial, map_side, sigma, with_labels: bool) -> None:
    """Raise an error for settings that are out of range, and for records without truth.

    Args:
        with_labels: whether a label is enough, for joint models.
    """
    unknown = sorted(set(baselines) - set(BASELINES))
    if unknown:
        raise ValueError(f"`baselines` must be among {BASELINES}. Received: {unknown}")
    if initial not in INITIAL:
        raise ValueError(f"`initial` must be one of {INITIAL}. Received: initial={initial!r}")
    if map_side < 2 or not sigma > 0:
        raise ValueError(
            "`map_side` must be at least 2 and `sigma` positive. "
            f"Received: map_side={map_side}, sigma={sigma}"
        )
    if not records:
        raise ValueError("`records` must hold at least one video. Received: none")
    blind = [
        r.name for r in records if r.gaze is None and not (with_labels and r.label is not None)
    ]
    if blind:
        rule = "gaze or a label" if with_labels else "gaze"
        raise ValueError(
            f"Every record must have {rule}. Received: {len(blind)} of {len(records)} without, "
            f"among them {blind[:5]}"
        )
    names = [safe_name(record.name) for record in records]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"Every record must have a unique name. Received duplicates: {twice[:5]}")


def named_models(model) -> dict[str, keras.Model]:
    """The models by name, loaded if they are files; an error if one predicts no saliency."""
    if model is None:
        return {}
    if not isinstance(model, Mapping):
        model = model if isinstance(model, keras.Model) else load(model)
        model = {model.name: model}
    models = {n: m if isinstance(m, keras.Model) else load(m) for n, m in model.items()}
    for name, one in models.items():
        saliency_output(output_names(one))
        if name in BASELINES:
            raise ValueError(f"A model must not have the name of a baseline. Received: {name!r}")
    return models


def listed_records(records) -> list[Record]:
    """The records as a list; an error if they are none."""
    rule = "`records` must be a list of records, such as `zoo.datasets.your_own.load('videos.csv')`"
    if isinstance(records, (str, os.PathLike)) or not isinstance(records, Iterable):
        raise TypeError(f"{rule}. Received: {type(records).__name__}")
    records = list(records)
    wrong = [type(one).__name__ for one in records if not isinstance(one, Record)]
    if wrong:
        raise TypeError(f"{rule}. Received: {wrong[0]} among them")
    return records


def takes_flow(model: keras.Model) -> bool:
    """Whether a model of long clips has optical flow among its inputs."""
    return takes_long_clips(model) and any(tensor.name == "flow" for tensor in model.inputs)


def check_options(models, stride, flow, mirror, precision) -> None:
    """Raise an error for options that apply to none of the models."""
    takes_clips = any(map(takes_long_clips, models.values()))
    with_flow = any(map(takes_flow, models.values()))
    if (stride != 1 and not takes_clips) or (flow is not None and not with_flow):
        raise ValueError(
            "`stride` is for models of long clips with the output 'saliency', and `flow` for those "
            f"with the input 'flow'. Received: stride={stride}, flow={flow!r} for the models "
            f"{list(models)}"
        )
    if (mirror or precision is not None) and not models:
        raise ValueError(
            "`mirror` and `precision` need a model. "
            f"Received: mirror={mirror}, precision={precision!r} for the baselines alone"
        )
