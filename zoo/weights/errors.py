"""The one error of weight files."""

from zoo.files.errors import FileFormatError


class WeightsError(FileFormatError):
    """A weight file that cannot be read, or that does not fit the model."""
