"""`zoo prepare`: a data set to shards of JPEG frames, backbone features and optical flow."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import tyro

from zoo.cli.names import check_data_set
from zoo.cli.parsing import call
from zoo.files.printable import one_line


def run(arguments: Sequence[str]) -> None:
    """Run the command."""
    call(prepare_data_set, arguments, "prepare")


def prepare_data_set(
    dataset: tyro.conf.Positional[str],
    data_dir: tyro.conf.Positional[str],
    output: tyro.conf.Positional[str],
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
    """Turn a data set into shards once: JPEG frames, backbone features, optical flow, in any mix.

    The same command goes on where it was stopped. `--dataset shards --data-dir OUTPUT` of the
    recipes reads them.

    Args:
        dataset: name of the data set (`zoo list`), or csv.
        data_dir: its folder; for csv the table.
        output: folder of the shards.
        frames: keep the frames as JPEG pictures.
        features: keep the features of a backbone: c3d, i3d, googlenet, resnet50, a .keras file.
        flow: keep the optical flow.
        split: this split alone; default all.
        size: height and width of the kept frames.
        quality: of the JPEG pictures.
        features_size: height and width that the backbone takes; default 112 for c3d, else 224.
        features_weights: weights of the backbone; default random ones, or the .keras file's.
        features_options: more arguments of the backbone's builder, as JSON.
        clip_length: frames of a clip; default 16 for c3d, 79 for i3d, 1 for single frames.
        hop: frames between the beginnings of two clips.
        pool: average pooling of the features over time, height and width, stride 1; LSTS: 6 3 3.
        dense: c3d gives one feature a frame from one pass.
        batch_size: clips in one call of the backbone.
        flow_size: height and width at which the flow is computed and kept.
        flow_method: dis:ultrafast, dis:fast, dis:medium or tvl1.
        fps: wanted frame rate; default every frame.
        per_shard: videos in a shard.
        chunk: frames in one record of the files.
        workers: processes; default one a core, and one with features.
        skip_bad: leave out videos that cannot be read, and name them in index.json.
        verify: read everything once more and check every checksum.
        runner: local processes, or Apache Beam (extra `beam`).
        beam_options: options of the Beam pipeline: --beam-options="--runner=FlinkRunner ...".
        seed: of the order of the videos, and of random weights.
    """
    check_data_set(dataset, "csv")
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


def _tell(manifest: dict, output: str) -> None:
    size = sum(shard["bytes"] for shard in manifest["shards"])
    for name, counts in manifest["splits"].items():
        print(one_line(f"{name}: {counts['videos']} videos, {counts['frames']} frames"))
    for name, why in manifest["left_out"].items():
        print(one_line(f"left out: {name}: {why}"))
    print(f"{len(manifest['shards'])} shards, {size / 2**20:.1f} MiB in {one_line(output)}")


def _pairs(text: str) -> tuple[tuple[str, Any], ...]:
    """A JSON object as pairs that can be hashed."""
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError(f"`features_options` must be a JSON object. Received: {text!r}")
    return tuple(sorted((k, tuple(v) if isinstance(v, list) else v) for k, v in found.items()))
