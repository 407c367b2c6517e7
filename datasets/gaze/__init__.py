"""Where people looked, read from the files of any tracker or data set."""

from zoo.datasets.gaze.fixations import Fixations
from zoo.datasets.gaze.reading import GazeWarning, read_fixations
from zoo.datasets.gaze.tables import CsvFormat
from zoo.datasets.record import GazeSource

__all__ = ["CsvFormat", "Fixations", "GazeSource", "GazeWarning", "read_fixations"]
