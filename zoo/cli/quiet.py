"""Keeps the backends' own chatter off the standard error stream."""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.util
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator

from zoo.files.printable import printable

# Their libraries write to the standard error stream while they are loaded, before any setting of
# a level takes effect.
LOUD = ("tensorflow", "jax")


def be_quiet() -> None:
    """Silence TensorFlow, its libraries and JAX; errors still reach the user as exceptions.

    Must be called before they are imported. What the user has set already is kept.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    os.environ.setdefault("GLOG_minloglevel", "2")
    for name in ("tensorflow", "absl", "jax", "jax._src.xla_bridge"):
        logging.getLogger(name).setLevel(logging.ERROR)
    if not any(isinstance(finder, _QuietFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _QuietFinder())


class _QuietFinder(importlib.abc.MetaPathFinder):
    """Lets the packages of `LOUD` be loaded as ever, by `_QuietLoader`."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname not in LOUD:
            return None
        sys.meta_path.remove(self)
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            sys.meta_path.insert(0, self)
        if spec is not None and spec.loader is not None:
            spec.loader = _QuietLoader(spec.loader)
        return spec


class _QuietLoader(importlib.abc.Loader):
    """A loader during whose work native code writes to a file instead of standard error."""

    def __init__(self, loader: importlib.abc.Loader):
        self._loader = loader

    def __getattr__(self, name: str):
        return getattr(self._loader, name)

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module) -> None:
        with held_back():
            self._loader.exec_module(module)


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Hold back what is written to file descriptor 2; after an error it is written after all."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(kept, 2)
            file.seek(0)
            os.write(2, file.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


@contextlib.contextmanager
def show_warnings_as_lines(program: str) -> Iterator[None]:
    """Print each of the zoo's warnings as one line, without a file's name and source line."""
    with warnings.catch_warnings():
        # Python shows no DeprecationWarning of a library; Keras's and NumPy's are not for users.
        warnings.simplefilter("ignore", FutureWarning)
        printed: set[str] = set()

        def show(message, category, filename, lineno, file=None, line=None):
            text = f"{program}: warning: {printable(' '.join(str(message).split()))}"
            if text not in printed:
                printed.add(text)
                print(text, file=sys.stderr)

        warnings.showwarning = show
        yield
