"""The general saliency model: trained on still images, for any video.

    zoo train general_saliency --data-dir stills --output runs/general
    zoo train general_saliency --data-dir my_stills --weights general --output runs/mine

`--data-dir` is a folder of still images with fixations, see `zoo.datasets.stills`; every seventh
image is held out. Training has two stages: first the head alone, then the head and the upper blocks
of the backbone (7 to 20 of EfficientNet-Lite 2). The lower blocks are never trained, so their
features are computed only once. Finally one temperature is fitted to the held-out images.
OUTPUT/model.keras is the whole model. OUTPUT/general.weights.h5 has its weights in half precision,
with their provenance, for `zoo.general_saliency(weights=...)`.

A run that was killed resumes when the same command is given again.

Hardware, measured result: two CPU cores, see docs/general.md.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import keras
import numpy as np

from zoo.cli.main import run_recipe
from zoo.datasets import stills
from zoo.files.json_file import write_json
from zoo.layers.saliency.log_density import LogDensity
from zoo.losses import DensityCrossEntropy
from zoo.models.general_saliency import general_saliency
from zoo.models.general_variant import VARIANT, variant_with
from zoo.models.saving import save
from zoo.training import WarmCosine, claim_output, fit, make_optimizer, prepare_run
from zoo.training.options import check_above_zero, check_least
from zoo.training.recipe import finish
from zoo.training.run import run_facts
from zoo.training.stills.features import StillFeatures
from zoo.training.stills.half_precision import save_half_precision
from zoo.training.stills.scores import centred_gaussian, half_of_viewers, score_stills

PLACES = ("data_dir", "output", "restart", "save_seconds")  # not recorded in published weights
TEMPERATURES = np.linspace(0.6, 1.4, 33)


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of the recipe; with the defaults it trained the weights in the package.

    Args:
        data_dir: folder of still images with fixations, or of several such folders.
        output: folder of the run.
        weights: initial weights of the whole model: "general", or a file. Without them, only the
            backbone has pretrained weights.
        variant: variant of EfficientNet-Lite: 0, 1 or 2; default that of `weights` or
            `backbone_weights`, or 2.
        backbone_weights: weights of the backbone, if `weights` is not given; None: those of the
            variant trained on ImageNet.
        head_epochs: number of epochs of the first stage, which trains the head alone; 0 skips it.
        epochs: number of epochs of the second stage.
        head_rate: peak learning rate of the first stage.
        rate: peak learning rate of the second stage.
        batch_size: number of images in a batch.
        dropout: share of the backbone's channels that are dropped in training.
        weight_decay: decoupled weight decay; 0 for none.
        nss: weight of the NSS loss, which is added to the cross-entropy.
        cc: weight of the CC loss, which is added to the cross-entropy.
        kl: weight of the KL loss, which is added to the cross-entropy.
        memory: number of frames in the mean density, including the present one, in a video of 30
            frames per second; 1 for no memory.
        memory_share: weight of the mean density; the present frame has the remaining weight.
        motion: largest weight of the places that change; 0 for no motion.
        centre: how strongly a video's spread-out densities are drawn to the centre; 0: not at all.
        scatter: scatter of gaze in pixels of a video, by which small videos' densities are
            blurred; 0: no blur.
        seed: random seed for initial weights, order, mirroring and dropout.
        save_seconds: seconds between two saved states.
        restart: discard an earlier run in the folder.
    """

    data_dir: str
    output: str = "runs/general_saliency"
    weights: str | None = None
    variant: int | None = None
    backbone_weights: str | None = None
    head_epochs: int = 4
    epochs: int = 4
    head_rate: float = 2e-3
    rate: float = 4e-4
    batch_size: int = 16
    dropout: float = 0.2
    weight_decay: float = 0.0
    nss: float = 0.0
    cc: float = 0.0
    kl: float = 0.0
    memory: int = 10
    memory_share: float = 0.5
    motion: float = 0.5
    centre: float = 0.5
    scatter: float = 16.0
    seed: int = 0
    save_seconds: float = 60.0
    restart: bool = False


def main(config: Config) -> dict:
    """Train, calibrate, score the held-out images, and write the weights."""
    if config.weights and config.backbone_weights:
        raise ValueError(
            "`weights` brings a backbone with it: give it or `backbone_weights`. Received: "
            f"weights={config.weights!r}, backbone_weights={config.backbone_weights!r}"
        )
    check_above_zero(config, "rate", "head_rate")
    check_least(config, 1, "batch_size")
    check_least(config, 0, "epochs", "head_epochs", "seed", "save_seconds")
    check_least(config, 0, "weight_decay", "nss", "cc", "kl")
    train = stills.load(config.data_dir, "train")
    held_out = stills.load(config.data_dir, "validation")
    if not train or not held_out:
        raise ValueError(
            "There must be images to train on and images to hold out (every seventh). "
            f"Received: {len(train)} and {len(held_out)} in {config.data_dir}"
        )
    prepare_run(config.seed, deterministic=False)
    output = claim_output(config.output, dataclasses.asdict(config), restart=config.restart)
    variant = VARIANT if config.variant is None else config.variant
    backbone_weights = config.backbone_weights or f"efficientnet_lite{variant}_imagenet"
    model = general_saliency(
        variant=config.variant,
        dropout=config.dropout,
        memory=config.memory,
        memory_share=config.memory_share,
        motion=config.motion,
        centre=config.centre,
        scatter=config.scatter,
        weights=config.weights,
        backbone_weights=None if config.weights else backbone_weights,
    )
    trunk, backbone, upper = split(model)
    data = StillFeatures(train, trunk, output / "features")
    check = StillFeatures(held_out, trunk, output / "features_held_out")
    steps = data.steps(config.batch_size)
    loss = {"log_density": DensityCrossEntropy(nss=config.nss, cc=config.cc, kl=config.kl)}

    def stage(name: str, epochs: int, rate: float) -> float:
        if not epochs:
            return 0.0
        optimizer = make_optimizer(
            "adam",
            WarmCosine(rate, steps * epochs),
            clip=20.0,
            weight_decay=config.weight_decay or None,
        )
        upper.compile(optimizer, loss, jit_compile=False)
        return fit(
            upper,
            lambda step: data.stream(config.seed, config.batch_size, step),
            output=output / name,
            epochs=epochs,
            steps=steps,
            validate=lambda model, epoch: _validate(model, check, loss["log_density"]),
            save_seconds=config.save_seconds,
        ).seconds

    backbone.trainable = False
    seconds = stage("head", config.head_epochs, config.head_rate)
    backbone.trainable = True
    seconds += stage("whole", config.epochs, config.rate)
    layer = next(la for la in model.layers if isinstance(la, LogDensity))
    maps = {still.name: _map(upper, x) for still, x in check.in_order()}
    # The maps are divided by the present temperature, which `weights` may have brought.
    present = float(keras.ops.convert_to_numpy(layer.temperature)[0])
    temperature = present * _fit_temperature(maps, check)
    layer.temperature.assign([temperature])
    gaussian = centred_gaussian(train)
    found = [(still, _map(upper, x)) for still, x in check.in_order()]
    results = {
        "held_out": score_stills(found, gaussian),
        "half_of_viewers": half_of_viewers(held_out, gaussian),
        "centred_gaussian": {"mean": gaussian[0].tolist(), "sigma": gaussian[1].tolist()},
        "temperature": temperature,
        "train_images": len(train),
        "held_out_images": len(held_out),
        "seed": config.seed,
        "seconds": round(seconds, 1),
    }
    write_json(output / "results.json", results)
    save_half_precision(model, output / "general.weights.h5", _provenance(config, model, results))
    save(model, output / "model.keras", results=results, **run_facts(config))
    for group, scores in results["held_out"].items():
        print(f"{group}: NSS {scores['nss']:.3f}, {scores['information_gain']:.3f} bits")
    print(f"weights: {output / 'general.weights.h5'}")
    finish(output, results)
    return results


def split(model: keras.Model) -> tuple[keras.Model, keras.Model, keras.Model]:
    """Split a `general_saliency` at the finest map of its backbone.

    Returns:
        The lower part of the backbone (from a frame to that map), its upper part, and the model
        from that map to {"log_density"}. All three share the layers of `model`.
    """
    features = model.get_layer("frame_features").layer
    backbone = features.get_layer("backbone")
    middle, *coarser = backbone.outputs
    trunk = keras.Model(backbone.input, middle, name="trunk")
    rest = keras.Model(middle, coarser, name="upper_blocks")
    given = keras.Input(middle.shape[1:], name="features")
    x = features.get_layer("pyramid")([given, *rest(given)])
    x = model.get_layer("readout").layer(x)
    layer = next(la for la in model.layers if isinstance(la, LogDensity))
    trunk.trainable = False
    return trunk, rest, keras.Model(given, {"log_density": layer(x)}, name="upper")


def _map(upper: keras.Model, features: np.ndarray) -> np.ndarray:
    return np.asarray(upper.predict_on_batch(features[None])["log_density"])[0]


def _validate(model: keras.Model, check: StillFeatures, loss) -> dict[str, float]:
    values = [
        float(loss(check.target(i)[None], _map(model, check.features(i))[None]))
        for i in range(len(check.stills))
    ]
    return {"val_loss": float(np.mean(values))}


def _fit_temperature(maps: dict[str, np.ndarray], check: StillFeatures) -> float:
    """The divisor of the logits that makes the held-out fixations most likely."""
    means = []
    for temperature in TEMPERATURES:
        total = 0.0
        for index, still in enumerate(check.stills):
            scaled = maps[still.name] / temperature
            log_density = scaled - np.log(np.exp(scaled - scaled.max()).sum()) - scaled.max()
            total -= float((check.target(index) * log_density).sum())
        means.append(total)
    return float(TEMPERATURES[int(np.argmin(means))])


def _provenance(config: Config, model: keras.Model, results: dict) -> dict:
    names = ("memory", "memory_share", "motion", "centre", "scatter")
    variant = variant_with(model.count_params())
    options = {"variant": variant, **{name: getattr(config, name) for name in names}}
    data = Path(config.data_dir).name
    told = dataclasses.replace(config, data_dir=data, output=Config.output, save_seconds=60.0)
    return {
        "architecture": "general_saliency",
        "options": options,
        "source": data,
        "command": run_facts(told)["command"],
        "recipe": {k: v for k, v in dataclasses.asdict(config).items() if k not in PLACES},
        "results": results,
    }


if __name__ == "__main__":
    run_recipe("general_saliency")
