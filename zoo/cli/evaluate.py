"""`zoo evaluate`: models beside baselines."""

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
    model: tyro.conf.Positional[tuple[str, ...]] = ("general",),
    *,
    data_dir: str,
    dataset: str = "csv",
    output: Annotated[str | None, tyro.conf.arg(aliases=["-o"])] = None,
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
    """Measure models beside baselines, people and (where known) the true density.

    The same command on the same folder goes on where it was stopped.

    Args:
        model: .keras files; general for the model that the zoo ships, which is the default; or
            the word none for the baselines alone.
        data_dir: folder of the data set; for csv the table of videos.
        dataset: which data set it is; its test videos are measured, and the trained central bias
            is fitted to its training videos.
        output: folder for the results; default none is written.
        baselines: which of them; default all.
        map_side: maps have at most so many pixels on the longer side.
        sigma: Gaussian of the truth maps, as a share of the width.
        metric_maps: blur densities as the truth is for CC, SIM and KL.
        initial: the first frames of a model of clips.
        precision, mirror, stride, flow: as in zoo predict.
        seed: of the halves of the viewers and of the fitted mixture.
        pictures: so many videos get pictures on the page.
        overwrite: replace results of other settings in the folder.
        strict: refuse damaged videos; otherwise the damage is told.
    """
    check_data_set(dataset, "csv", "shards")
    from zoo.inference.evaluate import evaluate
    from zoo.inference.evaluating.scoring import BASELINES
    from zoo.training.named_data import load_records

    test = load_records(dataset, data_dir, "test")
    if not test:
        raise ValueError(f"The data set must have test videos with gaze. Received: {data_dir}")
    evaluation = evaluate(
        _named(model),
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
    """Model files by their names, with the folder's where two have one name."""
    files = [Path(model) for model in models if model != NO_MODEL]
    stems = [file.stem for file in files]
    return {str(file) if stems.count(file.stem) > 1 else file.stem: str(file) for file in files}
