"""Training samples of videos: which frames they contain, their inputs and their targets."""

from zoo.datasets.samples.batches import stream, validation
from zoo.datasets.samples.inputs import Features, Flow, Frames
from zoo.datasets.samples.samples import Place, Samples
from zoo.datasets.samples.targets import Action, Boxes, Mixture, Saliency

__all__ = [
    "Action",
    "Boxes",
    "Features",
    "Flow",
    "Frames",
    "Mixture",
    "Place",
    "Saliency",
    "Samples",
    "stream",
    "validation",
]
