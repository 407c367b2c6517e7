"""Running `zoo prepare` on Apache Beam: locally, or with options on Flink, Spark or Dataflow.

Needs the extra `beam`. The videos and the output must have the same paths on all workers.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from zoo.datasets.shards.writer import ShardResult, ShardTask, write_shard


def beam_runner(
    options: Sequence[str] = (),
) -> Callable[[Sequence[ShardTask]], Iterator[ShardResult]]:
    """A runner for `zoo.datasets.shards.prepare.prepare`.

    Args:
        options: Options of the pipeline, as on Beam's command line: `["--runner=FlinkRunner"]`.
            Without any, Beam's DirectRunner runs in this process.

    Raises:
        OSError: Apache Beam is not installed.

    Example: `prepare(records, output, streams, runner=beam_runner())`
    """
    try:
        import apache_beam as beam
        from apache_beam.options.pipeline_options import PipelineOptions
    except ImportError as error:
        raise OSError(
            'Apache Beam must be installed: pip install "video-attention-zoo[beam]". '
            f"Received: {error}"
        ) from error

    def run(tasks: Sequence[ShardTask]) -> Iterator[ShardResult]:
        folder = Path(tasks[0].folder)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".beam-") as results:
            with beam.Pipeline(options=PipelineOptions(list(options))) as pipeline:
                _ = (
                    pipeline
                    | "shards" >> beam.Create(list(tasks))
                    | "spread" >> beam.Reshuffle()
                    | "write" >> beam.Map(_write)
                    | "gather" >> beam.io.WriteToText(os.path.join(results, "results"))
                )
            for path in sorted(Path(results).glob("results*")):
                for line in path.read_text(encoding="utf-8").splitlines():
                    yield ShardResult(**json.loads(line))

    return run


def _write(task: ShardTask) -> str:
    return json.dumps(asdict(write_shard(task)))
