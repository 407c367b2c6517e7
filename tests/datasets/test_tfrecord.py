from __future__ import annotations

import io

import numpy as np
import pytest

from zoo.datasets.shards.crc32c import _plain, crc32c
from zoo.datasets.shards.tfrecord import encode_example, frame_record, read_records

FEATURES = {
    "bytes": [b"", b"x", b"long" * 100],
    "numbers": np.array([0, 1, -5, 1 << 40]),
    "floats": np.array([1.5, -2.25], np.float32),
    "none": [],
}


def test_the_checksum_is_castagnolis():
    assert crc32c(b"123456789") == 0xE3069283  # of RFC 3720's appendix, with the next two
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(bytes([0xFF] * 32)) == 0x62A8AB43
    rng = np.random.default_rng(0)
    for length in (0, 1, 127, 128, 129, 1000, 4096, 5001, 70_001, 300_000):
        data = rng.integers(0, 256, length, dtype=np.uint8)
        assert crc32c(data.tobytes()) == _plain(data)


def test_items_of_an_example_lie_at_the_stated_offsets():
    data, places = encode_example(FEATURES)
    for place, item in zip(places["bytes"], FEATURES["bytes"], strict=True):
        assert data[place : place + len(item)] == item


def test_tensorflow_reads_what_is_written_and_writes_what_is_read(tmp_path):
    tf = pytest.importorskip("tensorflow")
    if not hasattr(tf, "data"):
        pytest.skip("no TensorFlow here")
    whole = [encode_example({**FEATURES, "n": np.array([n])})[0] for n in range(3)]
    (tmp_path / "a").write_bytes(b"".join(map(frame_record, whole)))
    read = list(tf.data.TFRecordDataset(str(tmp_path / "a")).as_numpy_iterator())
    assert read == whole
    parsed = tf.train.Example.FromString(read[2]).features.feature
    assert parsed["numbers"].int64_list.value == [0, 1, -5, 1 << 40]
    assert list(parsed["bytes"].bytes_list.value) == FEATURES["bytes"]
    assert list(parsed["floats"].float_list.value) == [1.5, -2.25]
    assert list(parsed["n"].int64_list.value) == [2] and not parsed["none"].bytes_list.value
    assert parsed.keys() == {*FEATURES, "n"}
    theirs = tf.train.Example.FromString(whole[1]).SerializeToString()
    with tf.io.TFRecordWriter(str(tmp_path / "b")) as writer:
        writer.write(theirs)
    with open(tmp_path / "b", "rb") as file:
        assert list(read_records(file)) == [theirs]


@pytest.mark.parametrize("change", ["cut head", "cut data", "cut foot", "bit in length", "bit"])
def test_damage_is_named(change):
    data = bytearray(frame_record(b"a" * 300) + frame_record(b"b" * 300))
    if change.startswith("cut"):
        data = data[: 316 + {"cut head": 5, "cut data": 100, "cut foot": 313}[change]]
    else:
        data[316 + (2 if change == "bit in length" else 50)] ^= 1
    with pytest.raises(ValueError, match="somewhere, record 1"):
        list(read_records(io.BytesIO(bytes(data)), "somewhere"))
