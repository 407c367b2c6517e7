"""Predict saliency maps, gaze candidates and a film, or the action, from videos."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import keras

from zoo.inference.actions.naming import predict_action
from zoo.inference.actions.predict_joint import predict_joint
from zoo.inference.arguments import check_arguments, check_live, check_unused
from zoo.inference.live import predict_live
from zoo.inference.saliency import predict_saliency, saliency_stream
from zoo.inference.streaming.adapt import PRECISIONS
from zoo.inference.streaming.array_video import ArrayVideo
from zoo.inference.streaming.clip_maps import ClipMaps
from zoo.inference.streaming.frame_size import fitting_size, side_of_video
from zoo.inference.streaming.joint import is_joint
from zoo.inference.streaming.live_source import is_live
from zoo.inference.streaming.mirror import require_mirrorable
from zoo.inference.streaming.picture import takes_pictures
from zoo.inference.streaming.saliency_outputs import SALIENCY_OUTPUTS, output_names
from zoo.inference.streaming.sources import AnyVideo, find_videos, video_name
from zoo.inference.streaming.stream import Stream
from zoo.inference.writing.output import claim_folder, give_up_folder
from zoo.inference.writing.prediction import default_size, is_picture
from zoo.models.loading import GENERAL, load, load_general
from zoo.models.saving import card_of


class PredictionError(ValueError):
    """Prediction failed for some of several videos; `predictions` has the other results."""

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
    """Predict where people look in each frame of a video, or the action, with its attention.

    Each video is processed in chunks, with decoding, inference and drawing in parallel. The
    recurrent state is carried from chunk to chunk, so the result equals that of a single call on
    the whole video. Memory usage grows only by the outputs, about 1 KB per frame.

    An action model, such as `zoo.soft_attention()`, predicts the action instead and shows its
    spatial and temporal attention; `initial`, `chunk`, `maps`, `candidates` and `flow` must not be
    changed for it.

    Args:
        video: a video file, a folder of videos, a folder of numbered images (one video), a
            pattern such as "clips/*.mp4", an http or https URL, an image, an array
            (time, height, width, 3) of RGB values from 0 to 255, or a list of these. A camera
            index or an rtsp URL is predicted live, see `zoo.inference.live.predict_live`, whose
            arguments are the only ones that may be changed then.
        model: a saliency model, such as `zoo.general_saliency()`, `zoo.rmdn()` and `zoo.lsts()`,
            or a model with the output "action"; a `.keras` file; or a `Stream` or `ClipMaps` of
            a model, to reuse its compiled graphs across calls. None or "general" is the general
            model that the zoo ships. Model and video may also be given in the opposite order.
        output: output folder, which must be new or empty; with None, no files are written.
            Several videos get one subfolder each.
        initial: how to treat the first 15 frames of a model with 16-frame clips (the first 78
            with 79-frame clips), which have no prediction: "repeat" the first prediction, "pad"
            the video with its first frame, which also allows shorter videos, or "omit" the
            frames. Final frames are treated likewise if maps belong to the clips' middle frames.
            Single images are always padded.
        chunk: number of frames per model call. Affects memory usage and speed, not the result.
        maps: "npz" (one float32 array per frame), "png" (one grey image per frame) or None.
        candidates: number of gaze candidates (most likely locations) listed per frame.
        film: write the video with its saliency as a heat map; for a single image, an image.
        sound: include the video's sound in the film. Sound that mp4 supports is copied, other
            sound is re-encoded. Films of cameras have no sound.
        size: (height, width) of maps and film; default the video's, at most 1280 pixels a side.
        precision: "bfloat16" is about twice as fast on processors that support it; None keeps
            the precision the model was built with.
        stride: for clip-based models, predict a map only for every `stride`-th frame and the
            last one, and interpolate between them. For action models that take blocks of
            frames, the distance in frames between the starts of two blocks.
        flow: for models with optical flow input: "dis", "tvl1" or a function, see
            `zoo.datasets.video.flow.video_flow`; None uses the method the model was trained with.
        classes: names of the actions, such as `zoo.datasets.moving_targets.CLASSES`; default
            those stored in the model's file, see `zoo.save`.
        mirror: average with the prediction for the mirrored video; takes twice the time. Of
            pictures, the general model always does, and also averages over two sizes.
        overwrite: replace the files of an earlier prediction in `output`.
        progress: show a progress bar with the remaining time.
        fps: frame rate of image folders, streams without a container (.h264), arrays and raw
            frames, which do not state one; None assumes 25 and reports this. An error for other
            videos, whose films keep their time stamps and aspect ratio.
        strict: reject damaged videos; otherwise damaged packets are skipped and reported.

    Returns:
        A `Prediction` with the arrays and the paths of the files. Action models return an
        `ActionPrediction`; `zoo.joint()` returns a `JointPrediction`, whose film also shows the
        action and a time strip. A list, a folder of videos or a pattern returns a list; a camera
        returns a `LivePrediction`.

    Raises:
        ValueError: an argument, a video or the model is invalid.
        PredictionError: some of several videos failed; raised after all others are finished.

    Example:

    ```python
    prediction = zoo.predict("clip.mp4", output="out")
    prediction.map(40)
    ```
    """
    if _is_model(video) and not _is_model(model):
        video, model = model, video
    check_arguments(
        maps=maps, candidates=candidates, initial=initial, size=size, fps=fps, chunk=chunk
    )
    if isinstance(classes, str):
        raise ValueError(f"`classes` must be a list of names. Received: classes={classes!r}")
    model = GENERAL if model is None else model
    if isinstance(video, (str, int)) and is_live(video):
        check_live(
            initial=initial,
            chunk=chunk,
            stride=stride,
            flow=flow,
            classes=classes,
            mirror=mirror,
        )
        return predict_live(
            model,
            video,
            output=output,
            maps=maps,
            film=film,
            candidates=candidates,
            size=size,
            precision=precision,
            overwrite=overwrite,
            fps=fps,
            strict=strict,
        )
    failed: list[str] = []
    videos = find_videos(video, fps=fps, failed=failed)
    if fps is not None and videos and not any(map(_without_rate, videos)):
        raise ValueError(
            "`fps` is for videos that do not state their frame rate: folders of images, streams "
            "without a container, arrays and raw frames. "
            f"Received: fps={fps} for {', '.join(one.path for one in videos[:5])}"
        )
    pictures = any(is_picture(one) for one in videos)
    if model == GENERAL:
        policy = PRECISIONS.get(precision)  # built with it at once, not adapted afterwards
        model = load_general(
            None if pictures else _common(fitting_size(one.height, one.width) for one in videos),
            _common(one.fps for one in videos),
            _common(side_of_video(one.height, one.width) for one in videos),
            policy=policy,
        )
    elif isinstance(model, (str, os.PathLike)):
        model = load(model, verbose=progress)
    elif not _is_model(model):
        raise TypeError(
            "`model` must be a keras.Model, the path of a `.keras` file or 'general'. "
            f"Received: {type(model).__name__}"
            + (f"; call it first: {model.__name__}()" if inspect.isfunction(model) else "")
        )
    run = _runner(
        model,
        pictures=pictures,
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

    if _is_one(video, videos) and not failed:
        return one(videos[0], output)
    folders = _folders(videos, output, overwrite)
    return _each(one, videos, folders, failed)


def _without_rate(video: AnyVideo) -> bool:
    """Whether a video does not state its frame rate, so that `fps` applies to it."""
    return isinstance(video, ArrayVideo) or not video.states_rate


def _common(values: Iterable):
    """The value that all videos share, if any, so that the model is built only once."""
    different = set(values)
    return different.pop() if len(different) == 1 else None


def _runner(
    model,
    *,
    pictures,
    classes,
    stride,
    flow,
    mirror,
    precision,
    film,
    sound,
    overwrite,
    **saliency,
):
    """A function that predicts one video; all its calls share the model's compiled graphs.

    Args:
        pictures: whether there are pictures among the videos.
    """
    common = {"film": film, "sound": sound, "overwrite": overwrite}
    names_actions = is_joint(model) or (isinstance(model, keras.Model) and _names_actions(model))
    if classes is not None and not names_actions:
        raise ValueError(
            "`classes` applies only to models with the output 'action'. Received: `classes` and a "
            "model without this output"
        )
    if names_actions:
        classes = classes or card_of(model).get("classes")
    if is_joint(model):
        check_unused("A joint model predicts every frame from the frames", stride=stride, flow=flow)
        options = {**common, **saliency, "mirror": mirror, "precision": precision}
        return lambda video, **given: predict_joint(
            model, video, classes=classes, **options, **given
        )
    if names_actions:
        if mirror:
            require_mirrorable(model.output)
        unused = {name: saliency[name] for name in ("initial", "chunk", "maps", "candidates")}
        check_unused("An action model predicts no saliency", flow=flow, **unused)
        options = {**common, "stride": stride, "precision": precision}
        return lambda video, **given: predict_action(
            model, video, classes=classes, **options, **given
        )
    options = {"precision": precision, "stride": stride, "flow": flow, "mirror": mirror}
    if isinstance(model, (Stream, ClipMaps)):
        check_unused("A `Stream` or `ClipMaps` has its options already", **options)
    stream = functools.cache(lambda picture: saliency_stream(model, picture=picture, **options))
    pictures = pictures and takes_pictures(model)
    stream(pictures)  # errors come before any work
    facts = {"stride": stride, "precision": precision or "as built"}
    saliency["model"] = getattr(model, "name", "")
    return lambda video, **given: predict_saliency(
        stream(pictures and is_picture(video)), video, facts=facts, **common, **saliency, **given
    )


def _folders(videos: list[AnyVideo], output, overwrite: bool) -> list[Path | None]:
    """A folder for each video, named after it; a number is appended to duplicate names."""
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


def _each(
    one: Callable, videos: list[AnyVideo], folders: list[Path | None], unreadable: list[str]
) -> list[Any]:
    found, failed = [], list(unreadable)
    for video, folder in zip(videos, folders):
        try:
            found.append(one(video, folder))
        except (ValueError, OSError) as error:
            failed.append(str(error))
            give_up_folder(folder)
    if failed:
        where = f" and in {folders[0].parent}" if found and folders[0] is not None else ""
        error = PredictionError(
            "Prediction must succeed for every video; "
            f"{len(found)} of {len(found) + len(failed)} are done{where}. "
            f"Received: {'; '.join(failed)}"
        )
        error.predictions = found
        raise error
    return found


def _is_one(asked: Any, videos: list[AnyVideo]) -> bool:
    """Whether a single video was given, not a list, pattern or folder (even of one video)."""
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
