"""`zoo predict`: predict where people look in videos, or the action."""

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
from zoo.cli.unused import refuse_unused
from zoo.files.printable import one_line

MAPS = ("npz", "png", "none")
ONLY_LIVE = ("raw_size", "pixel_format", "window", "stall")
NOT_LIVE = ("initial", "chunk", "stride", "flow", "classes", "mirror")
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
    """Predict where people look in videos, or which action they show.

    Args:
        video: video files, folders of videos, folders of numbered images (one video each),
            patterns such as "clips/*.mp4", http or https URLs, or images. Alternatively one live
            source: a camera index, an rtsp URL, or - for standard input (an encoded stream, or
            raw frames with --raw-size).
        model: a .keras file; default the general model that comes with the package. The file may
            also be given before the videos, without the option.
        output: new folder for the files; default VIDEO_prediction in the current folder, or
            predictions for several names or a pattern.
        maps: also write the saliency maps, as npz (one array per frame; --maps without a value
            means npz) or png (one grayscale image per frame).
        film: write the video with its saliency as a heat map.
        sound: include the video's sound in the film; cameras have no sound.
        candidates: number of gaze candidates (most likely locations) listed per frame.
        size: height and width of maps and film; default the video's, at most 1280 pixels a side.
        classes: class names of an action model: a data set, or a text file with one name per
            line; default the names stored in the model file.
        overwrite: replace the files of an earlier prediction in the folder.
        initial: how to treat the first frames, for which a clip-based model has no prediction
            (15 frames with 16-frame clips, 78 with 79-frame clips): repeat the first prediction,
            pad the video with its first frame, or omit these frames.
        precision: bfloat16 is about twice as fast on processors that support it; default the
            model's own.
        mirror: average with the prediction for the mirrored video; takes twice the time.
        chunk: number of frames per model call; affects memory usage and speed, not the result.
        stride: for lsts: predict a map only for every STRIDE-th frame, and interpolate between
            them; for soft_attention: number of frames from the start of one block to the next.
        flow: for lsts: method of computing optical flow; default the one it was trained with.
        raw_size: height and width of raw frames on standard input.
        pixel_format: pixel format of raw frames.
        fps: frame rate of folders of images, of streams without a container (.h264) and of raw
            frames, which do not state one; default 25, with a warning, and the arrival times for
            raw frames.
        window: show the overlay in a window while a live source is predicted; q stops it.
        stall: stop a live prediction after this many seconds without a frame.
        strict: reject damaged videos; otherwise skip damaged packets and report them.
    """
    given = dict(locals())
    model, videos = _model_and_videos(model, video)
    from zoo.inference.streaming.live_source import is_live

    live = [name for name in videos if is_live(name)]
    if live:
        if len(videos) > 1:
            raise CommandError(
                f"a live source cannot be combined with other videos. Received: {' '.join(videos)}"
            )
        _predict_live(
            live[0],
            model,
            unused={name: given[name] for name in NOT_LIVE},
            output="live_prediction" if output is None else output,
            raw_size=raw_size,
            pixel_format=pixel_format,
            fps=fps,
            maps=None if maps == "none" else maps,
            film=film,
            window=window,
            candidates=candidates,
            size=size,
            stall=stall,
            strict=strict,
            precision=precision,
            overwrite=overwrite,
        )
        return
    needed = f"a live source: a camera, an address or -. Received: {' '.join(videos)}"
    refuse_unused(predict_videos, given, ONLY_LIVE, needed)
    with _scanned(videos[0]):
        from zoo.inference.predict import predict
    output = _default_output(videos) if output is None else output
    found = predict(
        videos if len(videos) > 1 else videos[0],
        model,
        output=output,
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
    _tell(found, output)


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
    """Print the most likely actions, and in the last line where to find the files."""
    if not isinstance(found, list):
        if hasattr(found, "top"):
            for label, share in found.top():
                print(f"{share:.3f} {one_line(label)}")
        print(one_line(found.summary()))
        return
    for prediction in found:
        damage = f"; {len(prediction.damage)} damaged packets" if prediction.damage else ""
        print(one_line(f"{prediction.headline}{damage}"))
    frames, seconds = sum(p.num_frames for p in found), sum(p.seconds for p in found)
    print(f"{len(found)} videos, {frames} frames in {seconds:.1f} s; see {one_line(output)}")


def _predict_live(source: str, model: str | None, unused: dict, **options: Any) -> None:
    from zoo.inference.arguments import check_live
    from zoo.inference.live import predict_live

    check_live(**unused)
    live = predict_live(model, source, **options)
    shown = live.files.get("film") or live.files.get("summary")
    print(one_line(f"{live.summary()}; see {shown}"))


def _with_form_of_maps(arguments: list[str]) -> list[str]:
    """Insert npz after `--maps` if no form follows it."""
    found = []
    for at, argument in enumerate(arguments):
        found.append(argument)
        following = arguments[at + 1 : at + 2]
        if argument == "--maps" and (not following or _no_form(following[0])):
            found.append("npz")
    return found


def _no_form(argument: str) -> bool:
    """Whether the argument after `--maps` is another option or a video."""
    known = argument.startswith("-") or os.path.exists(argument) or Path(argument).suffix
    return bool(known or "/" in argument or any(sign in argument for sign in "*?["))


def _default_output(videos: Sequence[str]) -> str:
    if len(videos) > 1 or any(sign in videos[0] for sign in "*?["):
        return "predictions"
    name = videos[0].partition("?")[0] if "://" in videos[0] else videos[0]
    stem = Path(name.rstrip("/")).stem
    if stem in ("", ".."):  # "." or "..": the folder's own name
        stem = Path(name).resolve().stem
    return f"{stem}_prediction"


def _model_and_videos(model: str | None, named: Sequence[str]) -> tuple[str | None, list[str]]:
    """The model and the videos; if the first of these is a .keras file, it is the model."""
    named = list(named)
    if model is None and named and named[0].endswith(".keras"):
        model = named.pop(0)
    if not named:
        raise CommandError("a video must be given: zoo predict VIDEO. Received: none")
    return model, named


def _class_names(source: str) -> list[str]:
    """The class names of a data set, or the lines of a text file."""
    import importlib

    if Path(source).is_file():
        lines = Path(source).read_text(encoding="utf-8").splitlines()
        return [line.strip() for line in lines if line.strip()]
    check_data_set(source)
    module = importlib.import_module(f"zoo.datasets.{source}")
    if not hasattr(module, "CLASSES"):
        raise CommandError(
            f"--classes must be a data set with actions, or a text file. Received: {source!r}"
        )
    return list(module.CLASSES)
