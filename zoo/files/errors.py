"""The error of files from elsewhere."""


class FileFormatError(ValueError):
    """A file that is damaged, or that declares more than it holds; names the file's part."""
