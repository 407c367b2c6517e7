from __future__ import annotations

import json

import keras
import numpy as np
import pytest

import zoo
from zoo.backbones.c3d import c3d
from zoo.cli.main import main
from zoo.datasets import moving_targets
from zoo.datasets.shards.features import FeatureStore
from zoo.datasets.shards.reading import ShardSet, load
from zoo.datasets.video.reading import open_video
from zoo.recipes import rmdn
from zoo.training.backbone_features import BackboneFeatures
from zoo.training.digests import fingerprint
from zoo.training.layer_weights import backbone_of
from zoo.training.prepare import FeatureStream

TINY = {"width": 0.03}
ROWS = {"rtol": 2e-3, "atol": 2e-3}  # float16


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("made") / "moving_targets"
    moving_targets.make(root, num_videos=6, frames=20, size=(48, 64), viewers=3)
    return root


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    """A file with C3D as built by the recipe below."""
    keras.utils.set_random_seed(3)
    path = tmp_path_factory.mktemp("backbone") / "c3d.keras"
    zoo.backbones.c3d(image_size=(32, 32), **TINY).save(path)
    return path


@pytest.fixture(scope="module")
def prepared(data, backbone, tmp_path_factory):
    root = tmp_path_factory.mktemp("shards") / "out"
    given = ["prepare", "moving_targets", data, root, "--frames", "--features", backbone, "--flow"]
    given += ["--size", 32, 32, "--features-size", 32, 32, "--flow-size", 32, 32]
    given += ["--per-shard", 3, "--workers", 1, "--verify"]
    assert main([str(word) for word in given]) == 0
    return root


def frames_of(record, size=(32, 32)):
    return np.stack(list(open_video(record.video).frames(size)))


def test_the_command_writes_all_three(data, backbone, prepared):
    shards = ShardSet(prepared)
    assert shards.manifest["classes"] == list(moving_targets.CLASSES)
    model = keras.saving.load_model(backbone)
    for record in moving_targets.load(data):
        video = shards[record.name]
        frames = frames_of(record)
        assert np.abs(np.asarray(video.stream("rgb")) - frames.astype(float)).mean() < 4
        assert video.stream("flow").shape == (20, 32, 32, 2)
        rows = video.stream("features")
        assert rows.shape == (5, *model.output_shape[1:]) and rows.dtype == np.float16
        clips = np.stack([frames[at : at + 16] for at in range(5)])
        np.testing.assert_allclose(rows[:], model.predict_on_batch(clips), **ROWS)


def test_errors_of_the_command(data, prepared, tmp_path, capsys):
    def run(*arguments):
        status = main(["prepare", *map(str, arguments)])
        return status, capsys.readouterr().err

    assert run("moving_targets", data, tmp_path)[0] == 2
    status, told = run("moving_targets", data, prepared, "--frames")
    assert status == 2 and "other settings" in told
    status, told = run("moving_targets", data, tmp_path / "a", "--features", "vgg")
    assert status == 2 and "'googlenet'" in told
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    "stream, shape",
    [
        (FeatureStream("c3d", size=(32, 32), dense=True, options=(("width", 0.03),)), (20,)),
        (FeatureStream("c3d", size=(32, 32), hop=3, options=(("width", 0.03),)), (2,)),
        pytest.param(
            FeatureStream("googlenet", size=(32, 32), options=(("width", 0.05),)),
            (20,),
            marks=pytest.mark.slow,
        ),
        (
            FeatureStream(
                "i3d",
                size=(64, 64),
                clip_length=16,
                hop=2,
                pool=(2, 2, 2),
                options=(("width", 0.05),),
            ),
            (3,),
        ),
    ],
    ids=["dense c3d", "every third clip", "single frames", "pooled i3d"],
)
def test_features_equal_the_backbones(data, stream, shape, tmp_path):
    record = moving_targets.load(data)[0]
    frames = frames_of(record, stream.size)
    rows = list(stream.rows(iter(frames), len(frames)))
    about = stream.describe()
    found = np.stack([np.frombuffer(row, np.float16).reshape(about["shape"]) for row in rows])
    assert found.shape[:1] == shape
    model = stream.model
    if stream.dense:
        wanted = model.predict_on_batch(frames[None])[0]
    elif stream.length == 1:
        wanted = model.predict_on_batch(frames)
    else:
        starts = range(0, 20 - stream.length + 1, stream.hop)
        wanted = model.predict_on_batch(np.stack([frames[s : s + stream.length] for s in starts]))
    np.testing.assert_allclose(found, wanted, **ROWS)
    assert json.loads(json.dumps(about)) == about


def test_the_number_of_frames_in_a_clip():
    """Dense features belong to one frame; a longer clip would pair them with later gaze."""
    assert FeatureStream("c3d").length == 16 and FeatureStream("i3d").length == 79
    assert FeatureStream("i3d", clip_length=25).length == 25
    assert FeatureStream("c3d", dense=True).length == 1


@pytest.mark.slow
def test_pooling_is_that_of_lsts():
    """For 79 frames of 224x224, I3D gives (10, 7, 7), which LSTS pools to (5, 5, 5)."""
    from zoo.models.lsts import pool_size

    assert pool_size((10, 7, 7, 1024)) == (6, 3, 3)
    options = (("width", 0.03),)
    pool = (2, 2, 2)
    stream = FeatureStream("i3d", size=(64, 64), clip_length=16, pool=pool, options=options)
    plain = FeatureStream("i3d", size=(64, 64), clip_length=16, options=options)
    clip = np.random.default_rng(0).integers(0, 256, (1, 16, 64, 64, 3), dtype=np.uint8)
    whole = np.asarray(plain.model.predict_on_batch(clip))
    pooled = np.asarray(stream.model.predict_on_batch(clip))
    mean = whole[:, : pool[0], : pool[1], : pool[2]].mean((1, 2, 3))
    np.testing.assert_allclose(pooled[:, 0, 0, 0], mean, rtol=1e-4, atol=1e-5)


RECIPE = {
    "dataset": "shards",
    "image_size": (32, 32),
    "width": 0.03,
    "units": 8,
    "num_components": 3,
    "window": 18,
    "batch_size": 2,
    "epochs": 1,
    "score_every": 9,
    "retrain_on_all": False,
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:C3D is frozen with random weights")
def test_rmdn_trains_on_the_stored_features(data, prepared, backbone, tmp_path, monkeypatch):
    trained = keras.saving.load_model(backbone)
    real = rmdn.build

    def build(config):
        whole = real(config)
        backbone_of(whole).set_weights(trained.get_weights())
        return whole

    monkeypatch.setattr(rmdn, "build", build)
    monkeypatch.setattr(BackboneFeatures, "rows", None)  # nothing is recomputed
    config = rmdn.Config(data_dir=str(prepared), output=str(tmp_path / "run"), **RECIPE)
    assert fingerprint(backbone_of(build(config))) == fingerprint(trained)
    results = rmdn.main(config)
    assert np.isfinite(results["validation"]["nss"])
    assert {"rmdn", "uniform"} <= set(results["test"])
    assert not (tmp_path / "run" / "cache").exists()  # and nothing is written


def test_features_of_another_backbone_are_computed_again(prepared, tmp_path):
    record = load(prepared, "train")[0]
    keras.utils.set_random_seed(9)
    other = c3d(image_size=(32, 32), width=0.03)
    store = FeatureStore(tmp_path, BackboneFeatures(other, clip_length=16))
    store.compute([record])
    assert list(tmp_path.rglob("*.tfrecord"))
    assert len(store.rows(record)) == 5


def test_shards_with_only_features_of_another_backbone_are_an_error(data, tmp_path):
    from zoo.datasets.shards.prepare import prepare

    stream = FeatureStream("c3d", size=(32, 32), options=(("width", 0.03),))
    prepare(moving_targets.load(data)[:1], tmp_path / "shards", [stream], workers=1)
    keras.utils.set_random_seed(9)
    other = BackboneFeatures(c3d(image_size=(32, 32), width=0.03), clip_length=16)
    with pytest.raises(ValueError, match="rgb"):
        FeatureStore(tmp_path / "store", other).compute(load(tmp_path / "shards"))
