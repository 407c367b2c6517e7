"""`zoo predict`: where people look in videos, or their action."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import tyro

from zoo.cli.messages import CommandError
from zoo.cli.names import check_data_set, data_sets
from zoo.cli.parsing import call


def run(arguments: Sequence[str]) -> None:
    """Run the command."""
    call(predict_videos, arguments, "predict")


def predict_videos(
    video: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="VIDEO...")],
    model: Annotated[str | None, tyro.conf.arg(aliases=["-m"], metavar="FILE")] = None,
    output: Annotated[str | None, tyro.conf.arg(aliases=["-o"], metavar="FOLDER")] = None,
    initial: Literal["repeat", "pad", "omit"] = "repeat",
    maps: Literal["npz", "png", "none"] = "npz",
    candidates: int = 5,
    film: bool = True,
    size: Annotated[tuple[int, int] | None, tyro.conf.arg(metavar="HEIGHT WIDTH")] = None,
    precision: Literal["float32", "bfloat16", "float16"] | None = None,
    mirror: bool = False,
    chunk: Annotated[int | None, tyro.conf.arg(metavar="FRAMES")] = None,
    stride: int = 1,
    flow: Literal["dis", "tvl1"] | None = None,
    classes: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None,
    overwrite: bool = False,
    raw_size: Annotated[tuple[int, int] | None, tyro.conf.arg(metavar="HEIGHT WIDTH")] = None,
    pixel_format: Literal["rgb24", "bgr24", "gray", "yuv420p"] = "rgb24",
    fps: float = 25.0,
    window: bool = False,
    stall: float = 10.0,
) -> None:
    """Predict where people look in videos - a film, gaze candidates, maps - or their action.

    Args:
        video: a video file, a folder of numbered frames, - for frames on standard input (an
            encoded stream, or raw with --raw-size), or the number of a camera.
        model: a .keras file.
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
        fps: frames per second of a live film.
        window: show a live overlay; q ends it.
        stall: seconds without a frame after which a live stream counts as stalled.
    """
    model, videos = _model_and_videos(model, video)
    if len(videos) != 1:
        raise CommandError(f"one video is predicted at a time. Received: {len(videos)}")
    video = videos[0]
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


def _model_and_videos(model: str | None, named: Sequence[str]) -> tuple[str, list[str]]:
    """The model and the videos; a .keras file that comes first is the model."""
    named = list(named)
    if model is None and named and named[0].endswith(".keras"):
        model = named.pop(0)
    if not named:
        raise CommandError("a video must be named: zoo predict VIDEO --model FILE. Received: none")
    if model is None:
        raise CommandError(f"a model must be named: zoo predict {named[0]} --model FILE.keras")
    return model, named


def _class_names(source: str) -> list[str]:
    """Classes of a data set of this zoo, or the lines of a file."""
    import importlib

    if not Path(source).is_file():
        check_data_set(source)
    if source in data_sets():
        module = importlib.import_module(f"zoo.datasets.{source}")
        if not hasattr(module, "CLASSES"):
            raise CommandError(f"--classes must be a data set of actions. Received: {source!r}")
        return list(module.CLASSES)
    lines = Path(source).read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip()]
