"""The error raised for damaged or forged files."""


class FileFormatError(ValueError):
    """A file is damaged or declares more than it holds; the message names the part of the file."""
