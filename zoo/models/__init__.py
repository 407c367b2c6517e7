"""The zoo's models: lowercase builder functions that return a `keras.Model`."""

from zoo.models.frame_baseline import frame_baseline
from zoo.models.general_saliency import general_saliency
from zoo.models.joint import joint
from zoo.models.listing import list_models
from zoo.models.loading import load
from zoo.models.lsts import lsts, lsts_features
from zoo.models.rmdn import rmdn
from zoo.models.saving import save
from zoo.models.soft_attention import soft_attention
from zoo.models.spatiotemporal_attention import spatiotemporal_attention

__all__ = [
    "frame_baseline",
    "general_saliency",
    "joint",
    "list_models",
    "load",
    "lsts",
    "lsts_features",
    "rmdn",
    "save",
    "soft_attention",
    "spatiotemporal_attention",
]
