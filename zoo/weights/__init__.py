"""Published weights: records of the files, readers of their formats, strict name maps."""

from zoo.weights.cache import cache_folder, fetch
from zoo.weights.convert import convert
from zoo.weights.errors import WeightsError
from zoo.weights.load import ORIGINS, graph_options, load_weights, pretrained
from zoo.weights.provenance import read_provenance
from zoo.weights.reader import read_weights
from zoo.weights.record import Record
from zoo.weights.records import RECORDS

__all__ = [
    "ORIGINS",
    "RECORDS",
    "Record",
    "WeightsError",
    "cache_folder",
    "convert",
    "fetch",
    "graph_options",
    "load_weights",
    "pretrained",
    "read_provenance",
    "read_weights",
]
