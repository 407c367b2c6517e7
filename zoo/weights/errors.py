"""The one error of weight files."""


class WeightsError(ValueError):
    """A weight file that cannot be read, or that does not fit the model."""
