"""The TFRecord files of shards as tf.data reads them itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tensorflow as tf


def shard_examples(files: Sequence[str], streams: Sequence[str] = ("rgb",)) -> tf.data.Dataset:
    """The TFRecords of shards one after the other, checked by tf.data, as it reads them.

    An element is a chunk of a video: `video` (its name), `frames` (first, end, total), and each
    stream's rows as strings - JPEG pictures for `tf.io.decode_jpeg`, else numbers for
    `tf.io.decode_raw`. With tensorflow-io imported, `files` may be at s3:// or http://.
    """
    import tensorflow as tf

    wanted = {
        "video": tf.io.FixedLenFeature([], tf.string),
        "frames": tf.io.FixedLenFeature([3], tf.int64),
        **{name: tf.io.RaggedFeature(tf.string) for name in streams},
    }
    records = tf.data.TFRecordDataset(list(files))
    return records.map(lambda record: tf.io.parse_single_example(record, wanted))
