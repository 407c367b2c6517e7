"""All known origins of weight files."""

from __future__ import annotations

from zoo.weights.names.c3d import C3D_ORIGINS
from zoo.weights.names.efficientnet_lite import EFFICIENTNET_LITE_ORIGINS
from zoo.weights.names.googlenet import GOOGLENET_ORIGINS
from zoo.weights.names.i3d import I3D_ORIGINS
from zoo.weights.names.resnet50 import RESNET50_ORIGINS

ORIGINS = (
    *C3D_ORIGINS,
    *I3D_ORIGINS,
    *GOOGLENET_ORIGINS,
    *RESNET50_ORIGINS,
    *EFFICIENTNET_LITE_ORIGINS,
)
