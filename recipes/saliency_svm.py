"""Action recognition by a linear SVM on saliency-weighted features: appendix A of the RMDN paper.

    zoo train saliency_svm --dataset hollywood2 --data-dir DATA --multi-label \\
        --backbone-weights C3D --saliency rmdn.keras
    zoo train saliency_svm --dataset ucf101 --data-dir DATA --folds 1 2 3 \\
        --backbone-weights C3D --saliency rmdn.keras
    zoo train saliency_svm --dataset moving_targets --data-dir DATA \\
        --extractor trunk.keras --saliency rmdn.keras

A video is described by the C3D features (CONV5 or FC6) of its clips, by those of its clips weighted
by saliency, or by both concatenated. All are max-pooled over the clips. A linear SVM, whose C is
chosen on a fifth of the training videos, classifies the actions. Tables 3, 4 and 5 of the paper are
printed with our numbers beside the published ones, and written to OUTPUT/tables.md and
results.json.

Hardware, measured result: see docs/joint.md. Published: Hollywood2 mAP 47.00 (context), 54.85
(concatenated); UCF101 80.4 / 81.5 / 82.8. They were not reproduced here, because the data sets were
not available.

Reference: Bazzani, Larochelle and Torresani, Recurrent Mixture Density Network for
Spatiotemporal Visual Attention, ICLR 2017, sections 3.4 and 4.2, appendices A and B.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import warnings
from collections.abc import Container, Iterator, Sequence
from pathlib import Path
from typing import Literal

import keras
import numpy as np
from rich.progress import track

from zoo.backbones.c3d import CLIP_LENGTH, c3d
from zoo.cli.main import run_recipe
from zoo.datasets import Action, Frames, Mixture, Samples, Windows
from zoo.files.atomic import write_text
from zoo.inference.evaluating.baselines import fit_central_bias
from zoo.metrics import average_precision
from zoo.models.loading import load
from zoo.models.saving import date, versions
from zoo.training.joint_scores import labels_of
from zoo.training.named_data import class_names, load_records
from zoo.training.options import refuse_changed
from zoo.training.pseudo_gaze import NO_GAZE
from zoo.training.run import prepare_run, run_facts
from zoo.training.svm.classifier import LinearSVM
from zoo.training.svm.features import Descriptors, VideoToDescribe
from zoo.training.svm.tables import table_3, table_4, table_5

COLUMNS_OF_TABLE_4 = {"fc6/clip/3": "truth", "fc6/clip/5": "predicted", "bias": "central_bias"}


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of the recipe.

    Args:
        dataset: data set with labels; the rows with true saliency also need its gaze.
        data_dir: folder of the data set; for `csv` the table.
        output: folder of the results.
        cache: folder of descriptors; default `OUTPUT/cache`.
        multi_label: videos may show several actions, measured by mean average precision instead
            of accuracy.
        folds: folds of the data set, if it has several.
        saliency: `.keras` file of a model with the output "mixture"; None leaves out the rows
            with predicted saliency.
        bias: `.npy` file with the trained central bias, a mixture (K, 6), for data without gaze;
            by default it is fitted to the gaze of the training videos, if there is any.
        bias_components: number of Gaussians of the fitted central bias.
        extractor: `.keras` file of a feature network instead of C3D. It maps 16-frame clips, or
            videos, to features or to {"conv5": map, "fc6": vector}.
        backbone_weights: weights of C3D.
        conv5: the activation of C3D that serves as CONV5.
        width: multiplies C3D's filters.
        image_size: height and width of the frames.
        preprocessing: C3D's input normalisation.
        stride: number of frames from the start of one clip to the next.
        sigma: standard deviation of the Gaussian around a true fixation, as a share of the frame.
        seed: random seed for the hold-out and the PCA.
    """

    dataset: str = "moving_targets"
    data_dir: str = "data"
    output: str = "runs/saliency_svm"
    cache: str | None = None
    multi_label: bool = False
    folds: tuple[int, ...] = ()
    saliency: str | None = None
    bias: str | None = None
    bias_components: int = 20
    extractor: str | None = None
    backbone_weights: str | None = None
    conv5: Literal["conv5b", "pool5"] = "pool5"
    width: float = 1.0
    image_size: tuple[int, int] = (112, 112)
    preprocessing: str = "sports1m"
    stride: int = 1
    sigma: float = 0.06
    seed: int = 0


def main(config: Config) -> dict:
    """Compute the descriptors, train, test and print the tables; return the results."""
    if config.extractor is not None:
        network = ("backbone_weights", "conv5", "width", "image_size", "preprocessing")
        refuse_changed(config, network, "is for C3D and must not be changed with `extractor`")
    if config.bias is not None:
        refuse_changed(config, ("bias_components",), "must not be changed with `bias`")
    output = Path(config.output)
    output.mkdir(parents=True, exist_ok=True)
    prepare_run(config.seed)
    extractor = _extractor(config)
    saliency = None if config.saliency is None else load(config.saliency)
    folds = [_fold(config, fold, extractor, saliency) for fold in config.folds or (None,)]
    names = {name for one in folds for name in one["accuracy"]}
    mean = {n: float(np.mean([one["accuracy"][n] for one in folds])) for n in sorted(names)}
    per_class = folds[0]["classes"]
    measure = "mAP" if config.multi_label else "accuracy"
    cells = {}
    for name, value in mean.items():
        features, mode, experiment = name.split("/")
        cells[features, mode, experiment if experiment == "pca" else int(experiment)] = value
    classes = class_names(config.dataset, config.data_dir)
    parts = [table_3(cells, measure, config.dataset)]
    parts.append(table_4(per_class, classes, config.dataset))
    fifth = {
        "original": mean.get("fc6/clip/1"),
        "predicted": mean.get("fc6/clip/5"),
        "diffused": float(np.mean([f["diffused"] for f in folds]))
        if all("diffused" in f for f in folds)
        else None,
    }
    if not config.multi_label:
        parts.append(table_5(fifth, config.dataset, len(folds)))
    text = "\n\n".join(parts) + "\n"
    print(text, flush=True)
    results = {
        "measure": measure,
        "mean": mean,
        "table_5": fifth,
        "folds": folds,
        "classes": classes,
        "run": run_facts(config) | {"versions": versions(), "date": date()},
    }
    for name, content in (("tables.md", text), ("results.json", json.dumps(results, indent=1))):
        write_text(output / name, content)
    return results


def _fold(config: Config, fold: int | None, extractor, saliency) -> dict:
    """All experiments on one fold."""
    classes = class_names(config.dataset, config.data_dir)
    parts, labels = _videos(config, fold, extractor, Action(len(classes), config.multi_label))
    bias = _bias(config, parts["train"])
    descriptors = Descriptors(
        Path(config.cache or Path(config.output) / "cache") / "descriptors",
        extractor,
        saliency,
        central_bias=bias,
        stride=config.stride,
        sigma=config.sigma,
    )
    gaze = all(np.isfinite(source.points).any() for part in parts.values() for source in part)
    kinds = {"truth": gaze, "predicted": saliency is not None, "central_bias": bias is not None}
    kinds["diffused"] = saliency is not None and bias is not None
    kinds = [kind for kind, there in kinds.items() if there]
    todo = [(s, k) for part in parts.values() for s in part for k in ("original", *kinds)]
    for source, kind in track(todo, description="Describing videos"):
        descriptors.get(source, kind)

    @functools.cache
    def described(kind: str, mode: str, features: str) -> dict[str, np.ndarray]:
        return {
            split: np.stack([descriptors.get(source, kind, mode)[features] for source in part])
            for split, part in parts.items()
        }

    found, chosen, per_class = {}, {}, {}
    outputs = extractor.output if isinstance(extractor.output, dict) else {"fc6": None}
    for name, *blocks in _experiments(kinds, outputs):
        x = {s: np.concatenate([described(*block)[s] for block in blocks], axis=1) for s in parts}
        # There are as many principal components as features of the first block.
        width = described(*blocks[0])["train"].shape[1] if name == "fc6/clip/pca" else None
        svm = LinearSVM(multi_label=config.multi_label, components=width, seed=config.seed)
        svm.fit(x["train"], labels["train"])
        found[name] = 100.0 * svm.measure(x["test"], labels["test"])
        chosen[name] = {"C": svm.chosen, "validation": 100.0 * svm.validation}
        if name in COLUMNS_OF_TABLE_4:
            values = _by_class(labels["test"], svm.scores(x["test"]), classes)
            per_class[COLUMNS_OF_TABLE_4[name]] = values
    result = {"fold": fold, "accuracy": found, "chosen": chosen, "classes": per_class}
    for name, key in (("bias", "central_bias"), ("diffused", "diffused")):  # of other tables
        if name in found:
            result[key] = found.pop(name)
    return result


def _videos(config: Config, fold: int | None, extractor, target: Action) -> tuple[dict, dict]:
    """The videos of the two splits, and their labels."""
    parts, labels = {}, {}
    window = 1 if extractor.input_shape[1] is None else CLIP_LENGTH
    options = {} if fold is None else {"fold": fold}
    for split in ("train", "test"):
        records = load_records(config.dataset, config.data_dir, split, "label", **options)
        samples = Samples(
            records,
            Windows(window),
            inputs=[Frames(tuple(extractor.input_shape[2:4]))],
            targets=[Mixture(1), target],
            points={record.name: NO_GAZE for record in records if record.gaze is None},
        )
        parts[split] = [VideoToDescribe(samples, number) for number in range(len(records))]
        labels[split] = np.stack(list(labels_of(samples, target).values()))
    return parts, labels


def _experiments(kinds: Sequence[str], outputs: Container[str]) -> Iterator[tuple]:
    """Each experiment's name, and the (kind, mode, features) that it concatenates."""
    for features, mode in (("conv5", "feature"), ("conv5", "clip"), ("fc6", "clip")):
        if features not in outputs:
            continue
        original = ("original", "clip", features)
        yield f"{features}/{mode}/1", original
        for kind, alone, both in (("truth", 2, 3), ("predicted", 4, 5)):
            if kind in kinds:
                yield f"{features}/{mode}/{alone}", (kind, mode, features)
                yield f"{features}/{mode}/{both}", original, (kind, mode, features)
    names = {"predicted": "fc6/clip/pca", "central_bias": "bias", "diffused": "diffused"}
    for kind, name in names.items():
        if kind in kinds and "fc6" in outputs:
            yield name, ("original", "clip", "fc6"), (kind, "clip", "fc6")


def _extractor(config: Config) -> keras.Model:
    """The network that maps a clip or a video to {"conv5", "fc6"}."""
    if config.extractor is not None:
        return load(config.extractor)
    network = c3d(
        image_size=config.image_size,
        width=config.width,
        endpoint="fc6",
        preprocessing=config.preprocessing,
    )
    if config.backbone_weights is None:
        warnings.warn(
            "C3D has random weights: give `backbone_weights` or `extractor`.", stacklevel=2
        )
    else:
        from zoo.backbones.loading import load_weights

        load_weights(network, config.backbone_weights)
    outputs = {"conv5": network.get_layer(config.conv5).output, "fc6": network.output}
    return keras.Model(network.input, outputs)


def _bias(config: Config, sources: list[VideoToDescribe]) -> np.ndarray | None:
    if config.bias is not None:
        return np.load(config.bias)
    points = [source.points for source in sources]
    if not any(np.isfinite(part).all(-1).any() for part in points):
        return None
    return np.asarray(fit_central_bias(points, components=config.bias_components, seed=config.seed))


def _by_class(labels, scores, names) -> dict[str, float]:
    """Average precision of each class, in percent, and their mean."""
    hot = labels if labels.ndim == 2 else (labels[:, None] == np.arange(len(names))).astype(int)
    # The last classes have no column where no training video shows them.
    missing = ((0, 0), (0, len(names) - scores.shape[1]))
    scores = np.pad(scores, missing, constant_values=scores.min() - 1)
    values = 100.0 * average_precision(hot, scores)
    found = {n: float(v) for n, v in zip(names, values) if np.isfinite(v)}
    return {**found, "Mean": float(np.nanmean(values))}


if __name__ == "__main__":
    run_recipe("saliency_svm")
