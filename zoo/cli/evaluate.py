"""`zoo evaluate`: measure models and baselines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import tyro

from zoo.cli.names import check_data_set
from zoo.cli.parsing import call
from zoo.files.printable import one_line

NO_MODEL = "none"


def run(arguments: Sequence[str]) -> None:
    """Run the command."""
    call(evaluate_models, arguments, "evaluate")


def evaluate_models(
    model: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="[MODEL...]")] = (
        "general",
    ),
    *,
    data_dir: Annotated[str, tyro.conf.arg(metavar="DIR")],
    dataset: str = "csv",
    output: Annotated[str | None, tyro.conf.arg(aliases=["-o"], metavar="FOLDER")] = None,
    baselines: tuple[str, ...] | None = None,
    map_side: int = 256,
    sigma: float = 0.028,
    metric_maps: bool = False,
    initial: Literal["repeat", "pad", "omit"] = "omit",
    precision: Literal["float32", "bfloat16", "float16"] | None = None,
    stride: int = 1,
    flow: Literal["dis", "tvl1"] | None = None,
    mirror: bool = False,
    seed: int = 0,
    pictures: int = 6,
    overwrite: bool = False,
    strict: bool = False,
) -> None:
    """Measure how well models and baselines predict where the viewers of test videos look.

    For joint models, the action of test videos with a label is measured too.

    To continue an interrupted evaluation, run the same command again.

    Args:
        model: .keras files; general (default) for the general model that comes with the package;
            none to measure only the baselines.
        data_dir: folder of the data set; for csv the table of videos.
        dataset: name of the data set (`zoo list`), csv or shards. Its test videos are measured;
            the trained central bias is fitted to its training videos.
        output: folder for the results; without it, no files are written.
        baselines: baselines to measure: uniform, central_bias, trained_central_bias, motion,
            viewers, true_density; default all.
        map_side: maximum number of pixels on the longer side of a map.
        sigma: standard deviation of the Gaussian that blurs the truth maps, as a fraction of the
            frame's width.
        metric_maps: for CC, SIM and KL, blur the predictions in the same way as the truth maps.
        initial: how to treat the first frames, for which a clip-based model has no prediction,
            see zoo predict.
        precision: bfloat16 is about twice as fast on processors that support it; default the
            model's own.
        stride: for lsts: predict a map only for every STRIDE-th frame, and interpolate between
            them.
        flow: for lsts: method of computing optical flow; default the one it was trained with.
        mirror: average with the prediction for the mirrored video; takes twice the time.
        seed: random seed for splitting the viewers into halves and for fitting the mixture.
        pictures: number of videos shown with pictures on the page.
        overwrite: discard results in the folder that were computed with other settings.
        strict: reject damaged videos; otherwise skip damaged packets and report them.
    """
    check_data_set(dataset, "csv", "shards")
    from zoo.inference.evaluate import evaluate
    from zoo.inference.evaluating.scoring import BASELINES
    from zoo.inference.streaming.joint import is_joint
    from zoo.models.loading import load
    from zoo.training.named_data import load_records

    models = {name: load(file) for name, file in _named(model).items()}
    joint = any(map(is_joint, models.values()))  # the action needs only a label
    test = load_records(dataset, data_dir, "test", "any" if joint else "gaze")
    if not test:
        wanted = "gaze or a label" if joint else "gaze"
        raise ValueError(f"The data set must have test videos with {wanted}. Received: {data_dir}")
    evaluation = evaluate(
        models,
        test,
        train_records=load_records(dataset, data_dir, "train"),
        baselines=BASELINES if baselines is None else baselines,
        output=output,
        map_side=map_side,
        sigma=sigma,
        metric_maps=metric_maps,
        initial=initial,
        precision=precision,
        stride=stride,
        flow=flow,
        mirror=mirror,
        seed=seed,
        pictures=pictures,
        overwrite=overwrite,
        strict=strict,
    )
    if evaluation.output is not None:
        print(f"page: {one_line(evaluation.output)}/index.html")


def _named(models: Sequence[str]) -> dict[str, str]:
    """Model files by name; files with the same name are called by their paths."""
    files = [Path(model) for model in models if model != NO_MODEL]
    stems = [file.stem for file in files]
    return {str(file) if stems.count(file.stem) > 1 else file.stem: str(file) for file in files}
