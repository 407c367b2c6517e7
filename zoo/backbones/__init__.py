"""Convolutional networks that turn frames into features."""

from zoo.backbones.c3d import c3d
from zoo.backbones.googlenet import googlenet
from zoo.backbones.i3d import i3d
from zoo.backbones.resnet50 import resnet50
from zoo.backbones.small_cnn import small_cnn
from zoo.backbones.small_video import small_video

__all__ = ["c3d", "googlenet", "i3d", "resnet50", "small_cnn", "small_video"]
