"""Convolutional networks that compute features from frames."""

from zoo.backbones.c3d import c3d
from zoo.backbones.efficientnet_lite import efficientnet_lite
from zoo.backbones.folding import fold_batch_norm
from zoo.backbones.googlenet import googlenet
from zoo.backbones.i3d import i3d
from zoo.backbones.resnet50 import resnet50
from zoo.backbones.small_cnn import small_cnn
from zoo.backbones.small_video import small_video

__all__ = [
    "c3d",
    "efficientnet_lite",
    "fold_batch_norm",
    "googlenet",
    "i3d",
    "resnet50",
    "small_cnn",
    "small_video",
]
