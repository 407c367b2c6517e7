"""The error for weight files."""

from zoo.files.errors import FileFormatError


class WeightsError(FileFormatError):
    """A weight file cannot be read, or does not fit the model."""
