"""The command `zoo`: list, train, evaluate, predict, and what other parts bring."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import pkgutil
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console
from rich.table import Table

# Command -> what it does, and the module and function that do it. Parts of other floors bring
# their commands as a function in a module of their own, offered where that module is there.
COMMANDS = {
    "list": ("models, recipes and data sets", "zoo.cli.main", "show_list"),
    "train": ("train a model by a recipe: zoo train RECIPE [options]", "zoo.cli.main", "train"),
    "evaluate": ("measure a model beside baselines", "zoo.cli.main", "evaluate_model"),
    "predict": (
        "a video to saliency maps, gaze candidates and a film",
        "zoo.cli.main",
        "predict_video",
    ),
    "export": ("a model to another program's format", "zoo.cli.main", "export_model"),
    "convert": ("a published weight file to a Keras file", "zoo.cli.weights", "convert"),
    "weights": ("published weight files that are known", "zoo.cli.weights", "list_records"),
    "prepare": ("a data set to shards", "zoo.training.prepare", "prepare_command"),
    "check": ("is a data set complete and readable?", "zoo.datasets.listing.check", "check"),
}
USER_ERRORS = (ValueError, OSError)
NO_MODEL = "none"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0, 2 for bad input, 130 if interrupted."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_help())
        return 0
    if arguments[0] in ("-V", "--version"):
        from zoo._version import __version__

        print(f"zoo {__version__}")
        return 0
    name, rest = arguments[0], arguments[1:]
    if name not in _available():
        known = ", ".join(_available())
        print(f"zoo: the command must be one of {known}. Received: {name!r}", file=sys.stderr)
        return 2
    try:
        _, module, function = COMMANDS[name]
        command = getattr(importlib.import_module(module), function)
        if name == "train":
            command(rest)
        else:
            tyro.cli(command, args=rest, prog=f"zoo {name}")
    except SystemExit as exit_:  # of tyro, and of commands that have told their error
        if exit_.code is None or isinstance(exit_.code, int):
            return exit_.code or 0
        print(exit_.code, file=sys.stderr)
        return 2
    except USER_ERRORS as error:
        if os.environ.get("ZOO_DEBUG"):
            raise
        print(f"zoo {name}: {_message(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\nzoo {name}: interrupted", file=sys.stderr)
        return 130
    return 0


def show_list() -> None:
    """List the models, the recipes and the data sets."""
    console = Console()
    for title, rows in (
        ("Models, zoo.<name>()", _models()),
        ("Recipes, zoo train <name>", {name: _first_line(name) for name in _recipes()}),
        ("Data sets, zoo.datasets.<name>", _data_sets()),
    ):
        table = Table(title=title, title_justify="left", box=None, show_header=False)
        table.add_column(no_wrap=True, style="bold")
        table.add_column()
        for name, text in rows.items():
            table.add_row(f"  {name}", text)
        console.print(table)


def train(arguments: Sequence[str]) -> None:
    """Run a recipe: `zoo train RECIPE [options]`."""
    known = _recipes()
    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: zoo train RECIPE [options]; zoo train RECIPE --help lists them.")
        print("Recipes:", ", ".join(known))
        return
    if arguments[0] not in known:
        raise ValueError(f"The recipe must be one of {known}. Received: {arguments[0]!r}")
    recipe = importlib.import_module(f"zoo.recipes.{arguments[0]}")
    prog = f"zoo train {arguments[0]}"
    recipe.main(tyro.cli(recipe.Config, args=list(arguments[1:]), prog=prog))


def predict_video(
    model: tyro.conf.Positional[str],
    video: tyro.conf.Positional[str],
    output: Annotated[str | None, tyro.conf.arg(aliases=["-o"])] = None,
    initial: Literal["repeat", "pad", "omit"] = "repeat",
    maps: Literal["npz", "png", "none"] = "npz",
    candidates: int = 5,
    film: bool = True,
    size: tuple[int, int] | None = None,
    precision: Literal["float32", "bfloat16", "float16"] | None = None,
    mirror: bool = False,
    chunk: int | None = None,
    stride: int = 1,
    flow: Literal["dis", "tvl1"] | None = None,
    classes: str | None = None,
    overwrite: bool = False,
    raw_size: tuple[int, int] | None = None,
    pixel_format: Literal["rgb24", "bgr24", "gray", "yuv420p"] = "rgb24",
    fps: float = 25.0,
    window: bool = False,
    stall: float = 10.0,
) -> None:
    """Predict where people look in a video - maps, gaze candidates, a film - or its action.

    Args:
        model: a .keras file.
        video: a video file, a folder of numbered frames, - for frames on standard input (an
            encoded stream, or raw with --raw-size), or the number of a camera.
        output: new folder for the files; default VIDEO_prediction in the current folder.
        initial: what stands for the first frames of a model of clips (15 of 16, 78 of 79): the
            first prediction repeated, a prediction from the video padded with its first frame,
            or nothing.
        maps: npz (an array a frame), png (a grey picture a frame), or none.
        candidates: how many likely places of each frame are listed.
        film: write the video with its saliency as a heat map.
        size: height and width of maps and film; default the video's, at most 1280 a side.
        precision: bfloat16 is about twice as fast on processors that have it.
        mirror: average with the prediction for the mirror image; takes twice the time.
        chunk: frames the model is given at a time.
        stride: of lsts: a map is predicted for every so many frames, those between interpolated;
            of soft_attention: a block begins at every so many frames.
        flow: of lsts: the method; default the one it was trained with.
        classes: of models of actions: a data set, or a text file with a name a line.
        overwrite: replace an earlier prediction in the folder.
        raw_size: height and width of raw frames on standard input.
        pixel_format: of raw frames.
        fps: frames a second of a live film.
        window: show a live overlay; q ends it.
        stall: seconds without a frame after which a live stream counts as stalled.
    """
    from zoo.inference.streaming.live_source import is_live

    if is_live(video):
        from zoo.inference.live import predict_live

        live = predict_live(
            model,
            video,
            output=output or "live_prediction",
            raw_size=raw_size,
            pixel_format=pixel_format,
            fps=fps,
            maps=maps == "npz" and not film,
            film=film,
            window=window,
            candidates=candidates,
            stall=stall,
            precision=precision,
            overwrite=overwrite,
        )
        print(live.summary())
        for kind, path in live.files.items():
            print(f"{kind}: {path}")
        return
    from zoo.inference.predict import predict

    prediction = predict(
        model,
        video,
        output=output or f"{Path(video.rstrip('/')).stem}_prediction",
        initial=initial,
        maps=None if maps == "none" else maps,
        candidates=candidates,
        film=film,
        size=size,
        precision=precision,
        mirror=mirror,
        chunk=chunk,
        stride=stride,
        flow=flow,
        classes=None if classes is None else _class_names(classes),
        overwrite=overwrite,
    )
    if hasattr(prediction, "top"):
        for label, share in prediction.top():
            print(f"{share:.3f} {label}")
    for kind, path in prediction.files.items():
        print(f"{kind}: {path}")


def evaluate_model(
    model: tyro.conf.Positional[tuple[str, ...]],
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
) -> None:
    """Measure models beside baselines, people and (where known) the true density.

    The same command on the same folder goes on where it was stopped.

    Args:
        model: .keras files, or the word none for the baselines alone.
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
    """
    from zoo.inference.evaluate import evaluate
    from zoo.inference.evaluating.scoring import BASELINES
    from zoo.training.data import load_records

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
    )
    if evaluation.output is not None:
        print(f"page: {evaluation.output}/index.html")


def export_model(
    model: tyro.conf.Positional[str],
    format: Literal["keras", "savedmodel", "onnx", "litert", "openvino"] = "onnx",
    output: Annotated[str | None, tyro.conf.arg(aliases=["-o"])] = None,
    frames: int | None = None,
    batch: int | None = None,
    overwrite: bool = False,
) -> None:
    """Write a model in another program's format and compare the two on random input.

    Args:
        model: a .keras file.
        format: keras, savedmodel (TensorFlow), onnx, litert or openvino.
        output: the file to write; default the model's name in the current folder.
        frames: length of the videos where the model takes any; litert has to know it.
        batch: videos at a time; default any number, for litert one.
        overwrite: replace an earlier file.
    """
    from zoo.inference.export import export

    exported = export(
        model,
        output or f"{Path(model).stem}{'_exported' if format == 'keras' else ''}",
        format=format,
        frames=frames,
        batch=batch,
        overwrite=overwrite,
    )
    for name, shape in exported.inputs.items():
        print(f"input {name}: {', '.join('any' if n is None else str(n) for n in shape)}")
    for name, difference in exported.differences.items():
        print(f"output {name}: within {difference:.1e} of the model, of its largest value")
    print(f"{exported.format}: {exported.path}")


def _class_names(source: str) -> list[str]:
    """Classes of a data set of this zoo, or the lines of a file."""
    if source in _data_sets():
        module = importlib.import_module(f"zoo.datasets.{source}")
        if not hasattr(module, "CLASSES"):
            raise ValueError(f"`classes` must be a data set of actions. Received: {source!r}")
        return list(module.CLASSES)
    lines = Path(source).read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip()]


def _named(models: Sequence[str]) -> dict[str, str]:
    """Model files by their names, with the folder's where two have one name."""
    files = [Path(model) for model in models if model != NO_MODEL]
    stems = [file.stem for file in files]
    return {str(file) if stems.count(file.stem) > 1 else file.stem: str(file) for file in files}


def _message(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return str(error) or type(error).__name__


def _help() -> str:
    lines = ["usage: zoo COMMAND [options]; zoo COMMAND --help lists them.", ""]
    lines += [f"  {name:<10}{COMMANDS[name][0]}" for name in _available()]
    return "\n".join(lines)


def _available() -> list[str]:
    return [name for name, (_, module, _) in COMMANDS.items() if _exists(module)]


def _exists(module: str) -> bool:
    if module == __name__ or module == "zoo.cli.main":
        return True
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _models() -> dict[str, str]:
    import zoo

    found = {}
    for name in zoo.__all__:
        value: Callable = getattr(zoo, name)
        if inspect.isfunction(value) and value.__module__.startswith("zoo.models."):
            text = inspect.getdoc(value) or ""
            if value.__module__ not in ("zoo.models.loading", "zoo.models.listing"):
                found[name] = text.splitlines()[0] if text else ""
    return found


def _recipes() -> list[str]:
    """The modules of zoo.recipes that have a `Config` and a `main`, without importing them."""
    import zoo.recipes

    names = []
    for module in pkgutil.iter_modules(zoo.recipes.__path__):
        text = _source("zoo.recipes", module.name)
        if re.search(r"^class Config\b", text, re.M) and re.search(r"^def main\(", text, re.M):
            names.append(module.name)
    return sorted(names)


def _data_sets() -> dict[str, str]:
    import zoo.datasets

    found = {}
    for module in pkgutil.iter_modules(zoo.datasets.__path__):
        text = _source("zoo.datasets", module.name)
        if re.search(r"^DESCRIPTION\b", text, re.M) and re.search(r"^def load\(", text, re.M):
            found[module.name] = text.lstrip('"').splitlines()[0].rstrip('"')
    return found


def _first_line(recipe: str) -> str:
    return _source("zoo.recipes", recipe).lstrip('"').splitlines()[0].rstrip('"')


def _source(package: str, name: str) -> str:
    spec = importlib.util.find_spec(f"{package}.{name}")
    return Path(spec.origin).read_text(encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
