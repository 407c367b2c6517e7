"""`zoo prepare`: convert a data set to shards of frames, backbone features and optical flow."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import tyro

from zoo.cli.names import check_data_set
from zoo.cli.parsing import call
from zoo.cli.unused import refuse_unused
from zoo.files.printable import one_line


def run(arguments: Sequence[str]) -> None:
    """Run the command."""
    call(prepare_data_set, arguments, "prepare")


def prepare_data_set(
    dataset: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="DATASET")],
    data_dir: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="DATA_DIR")],
    output: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="OUTPUT")],
    frames: bool = False,
    features: str | None = None,
    flow: bool = False,
    split: str | None = None,
    size: tuple[int, int] = (112, 112),
    quality: int = 95,
    features_size: tuple[int, int] | None = None,
    features_weights: str | None = None,
    features_options: str = "{}",
    clip_length: int | None = None,
    hop: int = 1,
    pool: tuple[int, int, int] | None = None,
    dense: bool = False,
    batch_size: int = 8,
    flow_size: tuple[int, int] = (112, 112),
    flow_method: str = "dis:fast",
    fps: float | None = None,
    per_shard: int = 64,
    chunk: int = 64,
    workers: Annotated[int | None, tyro.conf.arg(aliases=["-j"])] = None,
    skip_bad: bool = False,
    verify: bool = False,
    runner: Literal["local", "beam"] = "local",
    beam_options: str = "",
    seed: int = 0,
) -> None:
    """Convert a data set to shards, so that training reads it faster.

    Shards hold any combination of JPEG frames, backbone features and optical flow. To train on
    them, give a recipe `--dataset shards --data-dir OUTPUT`. To continue after an interruption,
    run the same command again.

    Args:
        dataset: name of the data set (`zoo list`), or csv.
        data_dir: folder of the data set; for csv the table of videos.
        output: folder for the shards.
        frames: store the frames as JPEG images.
        features: store the features of a backbone: c3d, i3d, googlenet, resnet50 or a .keras file.
        flow: store the optical flow.
        split: convert only this split; default all.
        size: height and width of the stored frames.
        quality: quality of the JPEG images, 1 to 100.
        features_size: height and width of the backbone's input; default 112 112 for c3d, else
            224 224.
        features_weights: weights of the backbone, a file or a name (`zoo weights`); default random
            ones, or those in the .keras file.
        features_options: further arguments of the backbone's builder, as JSON.
        clip_length: number of frames per clip; default 16 for c3d, 79 for i3d, 1 for backbones of
            single frames.
        hop: number of frames from the start of one clip to the next.
        pool: window (time, height, width) in which features are averaged, with stride 1; 6 3 3
            for LSTS.
        dense: for c3d: compute one feature per frame in a single pass.
        batch_size: number of clips per call of the backbone.
        flow_size: height and width at which flow is computed and stored.
        flow_method: dis:ultrafast, dis:fast, dis:medium or tvl1.
        fps: frame rate at which videos are sampled; default every frame.
        per_shard: number of videos per shard.
        chunk: number of frames per TFRecord.
        workers: number of processes; default one per core, or one with --features.
        skip_bad: leave out unreadable videos, and list them in index.json.
        verify: afterwards, read all shards again and verify the checksums.
        runner: run in local processes, or with Apache Beam (extra `beam`).
        beam_options: options of the Beam pipeline: --beam-options="--runner=FlinkRunner ...".
        seed: random seed for the order of the videos and for random weights.
    """
    given = dict(locals())
    check_data_set(dataset, "csv")
    _check_used(given)
    from rich.progress import Progress

    from zoo.datasets.shards.prepare import local_runner, prepare
    from zoo.datasets.shards.reading import ShardSet
    from zoo.datasets.shards.streams import FlowStream, FrameStream
    from zoo.layers import tvl1_function
    from zoo.training.prepare import FeatureStream, load_all

    streams: list[Any] = []
    if frames:
        streams.append(FrameStream(tuple(size), quality))
    if features is not None:
        side = 112 if features == "c3d" else 224
        streams.append(
            FeatureStream(
                backbone=features,
                weights=features_weights,
                size=tuple(features_size or (side, side)),
                clip_length=clip_length,
                hop=hop,
                pool=pool,
                dense=dense,
                options=_pairs(features_options),
                batch_size=batch_size,
                seed=seed,
            )
        )
    if flow:
        make = tvl1_function if flow_method == "tvl1" else None
        streams.append(FlowStream(tuple(flow_size), flow_method, make=make))
    records, classes = load_all(dataset, data_dir, split)
    if runner == "beam":
        from zoo.datasets.shards.beam_runner import beam_runner

        run = beam_runner(beam_options.split())
    else:
        run = local_runner(workers or (1 if features else None))
    with Progress() as bar:
        task = bar.add_task("videos", total=len(records))
        manifest = prepare(
            records,
            output,
            streams,
            dataset=dataset,
            classes=classes,
            per_shard=per_shard,
            chunk=chunk,
            fps=fps,
            skip_bad=skip_bad,
            runner=run,
            seed=seed,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    _tell(manifest, output)
    if verify:
        print(f"{ShardSet(output).verify()} TFRecords verified")


def _check_used(given: dict[str, Any]) -> None:
    """Raise an error for options of parts that are not prepared."""
    parts = (
        ("--frames", given["frames"], "size quality"),
        (
            "--features",
            given["features"] is not None,
            "features_size features_weights features_options clip_length hop pool dense batch_size",
        ),
        ("--flow", given["flow"], "flow_size flow_method"),
        ("--runner beam", given["runner"] == "beam", "beam_options"),
        ("--runner local", given["runner"] == "local", "workers"),
    )
    for of, used, options in parts:
        if not used:
            refuse_unused(prepare_data_set, given, options.split(), f"{of}. Received: no {of}")


def _tell(manifest: dict, output: str) -> None:
    size = sum(shard["bytes"] for shard in manifest["shards"])
    for name, counts in manifest["splits"].items():
        print(one_line(f"{name}: {counts['videos']} videos, {counts['frames']} frames"))
    for name, why in manifest["left_out"].items():
        print(one_line(f"left out: {name}: {why}"))
    print(f"{len(manifest['shards'])} shards, {size / 2**20:.1f} MiB in {one_line(output)}")


def _pairs(text: str) -> tuple[tuple[str, Any], ...]:
    """A JSON object as hashable pairs."""
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError(f"`features_options` must be a JSON object. Received: {text!r}")
    return tuple(sorted((k, tuple(v) if isinstance(v, list) else v) for k, v in found.items()))
