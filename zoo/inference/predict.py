"""Videos to saliency maps, gaze candidates and a film, or to the actions they show."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras

from zoo.inference.actions.naming import predict_action
from zoo.inference.actions.predict_joint import predict_joint
from zoo.inference.live import predict_live
from zoo.inference.saliency import predict_saliency, saliency_stream
from zoo.inference.streaming.clip_maps import ClipMaps
from zoo.inference.streaming.frame_size import fitting_size
from zoo.inference.streaming.joint import is_joint
from zoo.inference.streaming.live_source import is_live
from zoo.inference.streaming.pipeline import INITIAL
from zoo.inference.streaming.saliency_outputs import SALIENCY_OUTPUTS, output_names
from zoo.inference.streaming.sources import AnyVideo, find_videos, video_name
from zoo.inference.streaming.stream import Stream
from zoo.inference.writing.output import claim_folder
from zoo.inference.writing.prediction import default_size
from zoo.models.loading import GENERAL, load, load_general
from zoo.models.saving import card_of


class PredictionError(ValueError):
    """Some of several videos could not be predicted; `predictions` holds the others'."""

    predictions: list[Any]


def predict(
    video: Any,
    model: keras.Model | Stream | ClipMaps | str | os.PathLike | None = None,
    *,
    output: str | os.PathLike | None = None,
    initial: str = "repeat",
    chunk: int | None = None,
    maps: str | None = None,
    candidates: int = 5,
    film: bool = True,
    sound: bool = True,
    size: tuple[int, int] | None = None,
    precision: str | None = None,
    stride: int = 1,
    flow: str | Callable | None = None,
    classes: Sequence[str] | None = None,
    mirror: bool = False,
    overwrite: bool = False,
    progress: bool = True,
    fps: float | None = None,
    strict: bool = False,
) -> Any:
    """Where people look in each frame of videos, or what action they show and why.

    A video is decoded, fed to the model and drawn piece by piece, all three at once; the
    recurrent state is carried on, so the result is that of the whole video in one call. Memory
    does not grow with the video but for the outputs themselves, about 1 KB a frame.

    A model of actions, such as `zoo.soft_attention()`, names the action instead and shows its
    attention to places and moments; `initial`, `chunk`, `maps`, `candidates` and `flow` are not
    for it.

    Args:
        video: a video file, a folder of videos, a folder of numbered pictures (one video), a
            pattern such as "clips/*.mp4", an http or https address, a picture, an array
            (time, height, width, 3) of RGB from 0 to 255, or a list of these. A camera's number
            or an rtsp address is followed while it runs, see `zoo.inference.live.predict_live`.
        model: a model that says where people look, such as `zoo.general_saliency()`, `zoo.rmdn()`
            and `zoo.lsts()`, or a model with the output "action"; or a `.keras` file; or a
            `Stream` or `ClipMaps` of a model: then many videos share its compiled graphs. None or
            "general" is the general model that the zoo ships. Model and video may also be given
            in the other order.
        output: folder for the files; None writes none. It must be new or empty. Several videos
            get a folder each in it.
        initial: what stands for the first 15 frames of a model that looks at clips of 16 (the
            first 78 for clips of 79): "repeat" the first prediction, "pad" the video with its
            first frame, which also makes videos of fewer frames possible, or "omit" them. The
            same is done at the end where the maps are for the clips' middle frames. A picture is
            always padded.
        chunk: frames the model is given at a time. It changes memory and speed, not the result.
        maps: "npz" (one float32 array a frame), "png" (one grey picture a frame) or None.
        candidates: how many of the likeliest places of each frame are listed.
        film: write the video with its saliency as a heat map; of a picture, a picture.
        sound: put the video's sound into the film. Sound that an mp4 file holds is copied, other
            sound is encoded anew. A camera's film has none.
        size: (height, width) of maps and film; default the video's, at most 1280 a side.
        precision: "bfloat16" is about twice as fast where the processor has it; None computes
            as the model was built.
        stride: of models of clips: a map is predicted for every so many frames, and for the
            last one; those between are interpolated. Of models of actions that take blocks of
            frames: a block begins at every so many frames.
        flow: of models of optical flow: "dis", "tvl1" or a function, see
            `zoo.datasets.video.flow.video_flow`; None: as the model was trained.
        classes: the names of the actions, such as `zoo.datasets.moving_targets.CLASSES`; default
            those in the model's file, see `zoo.save`.
        mirror: predict the video's mirror image too, and give the mean; takes twice the time.
        overwrite: replace the files of an earlier prediction in `output`.
        progress: show a bar with the time left.
        fps: frame rate of folders of pictures, arrays and raw frames, which state none; None
            assumes 25, which is told. A film keeps the video's time stamps and shape.
        strict: refuse a damaged video; otherwise a damaged packet costs that packet, and is told.

    Returns:
        A `Prediction`: the arrays, and the paths of the files; of actions an `ActionPrediction`;
        of `zoo.joint()` a `JointPrediction`, whose film has a line for the action and a strip of
        time. Of a list, a folder of videos or a pattern, a list; of a camera, a `LivePrediction`.

    Raises:
        ValueError: an argument, a video or the model is unfit.
        PredictionError: some of several videos could not be predicted, which is told after the
            others.

    Example:

    ```python
    prediction = zoo.predict("clip.mp4", output="out")
    prediction.map(40)
    ```
    """
    if _is_model(video) and not _is_model(model):
        video, model = model, video
    _check(maps, candidates, initial, size)
    model = GENERAL if model is None else model
    if isinstance(video, (str, int)) and is_live(video):
        return predict_live(
            model,
            video,
            output=output,
            maps=maps == "npz",
            film=film,
            candidates=candidates,
            precision=precision,
            overwrite=overwrite,
            fps=fps,
            strict=strict,
        )
    videos = find_videos(video, fps=fps)
    if model == GENERAL:
        model = load_general(_common_size(videos))
    elif isinstance(model, (str, os.PathLike)):
        model = load(model, verbose=progress)
    run = _runner(
        model,
        classes=classes,
        initial=initial,
        chunk=chunk,
        maps=maps,
        candidates=candidates,
        film=film,
        sound=sound,
        precision=precision,
        stride=stride,
        flow=flow,
        mirror=mirror,
        overwrite=overwrite,
        progress=progress,
    )

    def one(video: AnyVideo, folder):
        if strict:
            video.require_whole()
        return run(video, output=folder, size=size or default_size(video.height, video.width))

    if _is_one(video, videos):
        return one(videos[0], output)
    folders = _folders(videos, output, overwrite)
    return _each(one, videos, folders)


def _common_size(videos: list[AnyVideo]) -> tuple[int, int] | None:
    """The size of the frames where all videos have one: a model of that size is built once."""
    sizes = {fitting_size(video.height, video.width) for video in videos}
    return sizes.pop() if len(sizes) == 1 else None


def _runner(model, *, classes, stride, flow, mirror, precision, film, sound, overwrite, **saliency):
    """The function that predicts one video with a model: its compiled graphs are shared."""
    common = {"film": film, "sound": sound, "overwrite": overwrite}
    if isinstance(model, keras.Model):
        classes = classes or card_of(model).get("classes")
    if is_joint(model):
        options = {**common, **saliency, "mirror": mirror, "precision": precision}
        return lambda video, **given: predict_joint(
            model, video, classes=classes, **options, **given
        )
    if isinstance(model, keras.Model) and _names_actions(model):
        if mirror:
            raise ValueError(
                "`mirror` needs a model whose only output is 'mixture'. Received: the outputs "
                f"{sorted(model.output)}"
            )
        options = {**common, "stride": stride, "precision": precision}
        return lambda video, **given: predict_action(
            model, video, classes=classes, **options, **given
        )
    if classes is not None:
        raise ValueError("`classes` is for models with the output 'action'. Received: another one")
    stream = saliency_stream(model, precision=precision, stride=stride, flow=flow, mirror=mirror)
    facts = {"stride": stride, "precision": precision or "as built"}
    saliency["model"] = getattr(model, "name", "")
    return lambda video, **given: predict_saliency(
        stream, video, facts=facts, **common, **saliency, **given
    )


def _folders(videos: list[AnyVideo], output, overwrite: bool) -> list[Path | None]:
    """A folder for each video, by its name; a number is added where two have one name."""
    if output is None:
        return [None] * len(videos)
    folder, taken, found = claim_folder(output, overwrite=overwrite), set(), []
    for video in videos:
        name, count = video_name(video), 2
        while name in taken:
            name, count = f"{video_name(video)}_{count}", count + 1
        taken.add(name)
        found.append(folder / name)
    return found


def _each(one: Callable, videos: list[AnyVideo], folders: list[Path | None]) -> list[Any]:
    found, failed = [], []
    for video, folder in zip(videos, folders):
        try:
            found.append(one(video, folder))
        except (ValueError, OSError) as error:
            failed.append(str(error))
            if folder is not None and folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
    if failed:
        error = PredictionError(
            f"Every video must be predictable; {len(found)} of {len(videos)} are done. "
            f"Received: {'; '.join(failed)}"
        )
        error.predictions = found
        raise error
    return found


def _is_one(asked: Any, videos: list[AnyVideo]) -> bool:
    """Whether one video was asked for: no list, pattern or folder of videos, even of one."""
    if isinstance(asked, (str, os.PathLike)):
        return len(videos) == 1 and videos[0].path == os.fspath(asked)
    return not isinstance(asked, (list, tuple)) and len(videos) == 1


def _is_model(value: Any) -> bool:
    if isinstance(value, (str, os.PathLike)):
        return os.fspath(value).endswith(".keras")
    return isinstance(value, (keras.Model, Stream, ClipMaps))


def _names_actions(model: keras.Model) -> bool:
    names = set(output_names(model))
    return "action" in names and not names & set(SALIENCY_OUTPUTS)


def _check(maps, candidates, initial, size) -> None:
    if maps not in ("npz", "png", None):
        raise ValueError(f'`maps` must be "npz", "png" or None. Received: maps={maps!r}')
    if candidates < 0:
        raise ValueError(f"`candidates` must be 0 or more. Received: candidates={candidates}")
    if initial not in INITIAL:
        raise ValueError(f"`initial` must be one of {INITIAL}. Received: initial={initial!r}")
    if size is not None and min(size) < 1:
        raise ValueError(f"`size` must be positive. Received: size={size}")
