"""`zoo predict`: where people look in videos, or their action."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from zoo.cli.messages import CommandError
from zoo.cli.names import check_data_set
from zoo.cli.parsing import call
from zoo.files.printable import one_line

MAPS = ("npz", "png", "none")
Size = Annotated[tuple[int, int] | None, tyro.conf.arg(metavar="HEIGHT WIDTH")]


def run(arguments: Sequence[str]) -> None:
    """Run the command."""
    call(predict_videos, _with_form_of_maps(list(arguments)), "predict")


def predict_videos(
    video: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="VIDEO...")],
    model: Annotated[str | None, tyro.conf.arg(aliases=["-m"], metavar="FILE")] = None,
    output: Annotated[str | None, tyro.conf.arg(aliases=["-o"], metavar="FOLDER")] = None,
    maps: Literal["npz", "png", "none"] = "none",
    film: bool = True,
    sound: bool = True,
    candidates: int = 5,
    size: Size = None,
    classes: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None,
    overwrite: bool = False,
    initial: Literal["repeat", "pad", "omit"] = "repeat",
    precision: Literal["float32", "bfloat16", "float16"] | None = None,
    mirror: bool = False,
    chunk: Annotated[int | None, tyro.conf.arg(metavar="FRAMES")] = None,
    stride: int = 1,
    flow: Literal["dis", "tvl1"] | None = None,
    raw_size: Size = None,
    pixel_format: Literal["rgb24", "bgr24", "gray", "yuv420p"] = "rgb24",
    fps: float | None = None,
    window: bool = False,
    stall: float = 10.0,
    strict: bool = False,
) -> None:
    """Predict where people look in videos - a film, gaze candidates, maps - or their action.

    Args:
        video: video files, folders of videos, folders of numbered pictures (each one video),
            patterns, http and https addresses, or pictures. Or one live source: the number of a
            camera, an rtsp address, or - for standard input (an encoded stream, or raw frames
            with --raw-size).
        model: a .keras file; default the general model that the zoo ships. It may also be named
            before the videos, without the option.
        output: new folder for the files; default VIDEO_prediction in the current folder, for
            several names or a pattern the folder predictions.
        maps: also write the maps: npz (an array a frame; the default where --maps stands alone)
            or png (a grey picture a frame).
        film: write the video with its saliency as a heat map.
        sound: put the video's sound into the film; a camera's has none.
        candidates: how many likely places of each frame are listed.
        size: height and width of maps and film; default the video's, at most 1280 a side.
        classes: of models of actions: a data set, or a text file with a name a line; default the
            names in the model's file.
        overwrite: replace an earlier prediction in the folder.
        initial: what stands for the first frames of a model of clips (15 of 16, 78 of 79): the
            first prediction repeated, a prediction from the video padded with its first frame,
            or nothing.
        precision: bfloat16 is about twice as fast on processors that have it.
        mirror: average with the prediction for the mirror image; takes twice the time.
        chunk: frames the model is given at a time.
        stride: of lsts: a map is predicted for every so many frames, those between interpolated;
            of soft_attention: a block begins at every so many frames.
        flow: of lsts: the method; default the one it was trained with.
        raw_size: height and width of raw frames on standard input.
        pixel_format: of raw frames.
        fps: frames per second of a folder of pictures, which states none, and of raw frames;
            default 25, which is told, and for raw frames when each came.
        window: show a live overlay; q ends it.
        stall: seconds without a frame after which a live stream counts as stalled.
        strict: refuse a damaged video; otherwise a damaged packet costs that packet and is told.
    """
    model, videos = _model_and_videos(model, video)
    from zoo.inference.streaming.live_source import is_live

    live = [name for name in videos if is_live(name)]
    if live:
        if len(videos) > 1:
            raise CommandError(f"a live source must be the only one. Received: {' '.join(videos)}")
        _predict_live(
            live[0],
            model,
            output=output or "live_prediction",
            raw_size=raw_size,
            pixel_format=pixel_format,
            fps=fps,
            maps=maps == "npz",
            film=film,
            window=window,
            candidates=candidates,
            stall=stall,
            strict=strict,
            precision=precision,
            overwrite=overwrite,
        )
        return
    with _scanned(videos[0]):
        from zoo.inference.predict import predict
    found = predict(
        videos if len(videos) > 1 else videos[0],
        model,
        output=output or _default_output(videos),
        initial=initial,
        maps=None if maps == "none" else maps,
        candidates=candidates,
        film=film,
        sound=sound,
        size=size,
        precision=precision,
        mirror=mirror,
        chunk=chunk,
        stride=stride,
        flow=flow,
        classes=None if classes is None else _class_names(classes),
        overwrite=overwrite,
        fps=fps,
        strict=strict,
    )
    _tell(found, output or _default_output(videos))


@contextlib.contextmanager
def _scanned(video: str) -> Iterator[None]:
    """Count the frames of a video file in a thread while the block runs.

    This process keeps the result. Errors are ignored here, because opening the video again
    raises them.
    """
    from zoo.datasets.video.reading import open_video

    def scan() -> None:
        with contextlib.suppress(Exception):
            _ = open_video(video).index

    if not os.path.isfile(video):
        yield
        return
    thread = threading.Thread(target=scan, name="scan", daemon=True)
    thread.start()
    yield
    thread.join()


def _tell(found: Any, output: str) -> None:
    """The likeliest actions, and a last line that says where to look."""
    if not isinstance(found, list):
        if hasattr(found, "top"):
            for label, share in found.top():
                print(f"{share:.3f} {one_line(label)}")
        print(one_line(found.summary()))
        return
    for prediction in found:
        damage = f"; {len(prediction.damage)} damaged places" if prediction.damage else ""
        print(one_line(f"{prediction.headline}{damage}"))
    frames, seconds = sum(p.num_frames for p in found), sum(p.seconds for p in found)
    print(f"{len(found)} videos, {frames} frames in {seconds:.1f} s; look into {one_line(output)}")


def _predict_live(source: str, model: str | None, **options: Any) -> None:
    from zoo.inference.live import predict_live

    live = predict_live(model, source, **options)
    shown = live.files.get("film") or live.files.get("summary")
    print(one_line(f"{live.summary()}; look at {shown}"))


def _with_form_of_maps(arguments: list[str]) -> list[str]:
    """`--maps` alone means npz."""
    found = []
    for at, argument in enumerate(arguments):
        found.append(argument)
        if argument == "--maps" and arguments[at + 1 : at + 2] not in ([m] for m in MAPS):
            found.append("npz")
    return found


def _default_output(videos: Sequence[str]) -> str:
    if len(videos) > 1 or any(sign in videos[0] for sign in "*?["):
        return "predictions"
    name = videos[0].partition("?")[0] if "://" in videos[0] else videos[0]
    stem = Path(name.rstrip("/")).stem
    if stem in ("", ".."):  # "." or "..": the folder's own name
        stem = Path(name).resolve().stem
    return f"{stem}_prediction"


def _model_and_videos(model: str | None, named: Sequence[str]) -> tuple[str | None, list[str]]:
    """The model and the videos; a .keras file that comes first is the model."""
    named = list(named)
    if model is None and named and named[0].endswith(".keras"):
        model = named.pop(0)
    if not named:
        raise CommandError("a video must be named: zoo predict VIDEO. Received: none")
    return model, named


def _class_names(source: str) -> list[str]:
    """Classes of a data set of this zoo, or the lines of a file."""
    import importlib

    if Path(source).is_file():
        lines = Path(source).read_text(encoding="utf-8").splitlines()
        return [line.strip() for line in lines if line.strip()]
    check_data_set(source)
    module = importlib.import_module(f"zoo.datasets.{source}")
    if not hasattr(module, "CLASSES"):
        raise CommandError(f"--classes must be a data set of actions. Received: {source!r}")
    return list(module.CLASSES)
