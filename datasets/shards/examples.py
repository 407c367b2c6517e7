"""Reading the TFRecord files of shards directly with tf.data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tensorflow as tf


def shard_examples(files: Sequence[str], streams: Sequence[str] = ("rgb",)) -> tf.data.Dataset:
    """The TFRecords of shards in sequence; tf.data verifies their checksums.

    Each element is a chunk of a video: `video` (its name), `frames` (first, end, total), and the
    rows of each stream as strings: JPEG pictures for `tf.io.decode_jpeg`, otherwise numbers for
    `tf.io.decode_raw`. With tensorflow-io imported, `files` may be at s3:// or http://.

    Args:
        files: Paths of the TFRecord files.
        streams: Names of the streams to read.

    Example: `shard_examples(["shards/train-00000-of-00001.tfrecord"], streams=("rgb",))`
    """
    import tensorflow as tf

    wanted = {
        "video": tf.io.FixedLenFeature([], tf.string),
        "frames": tf.io.FixedLenFeature([3], tf.int64),
        **{name: tf.io.RaggedFeature(tf.string) for name in streams},
    }
    records = tf.data.TFRecordDataset(list(files))
    return records.map(lambda record: tf.io.parse_single_example(record, wanted))
