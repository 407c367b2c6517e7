"""Loading Keras and its backend faster, and without messages on standard error."""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.util
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator

from zoo.files.printable import printable

# Their libraries write to standard error while they are being loaded, before any log level takes
# effect.
LOUD = ("tensorflow", "jax")
# Keras imports these if they are installed, for wrappers and plots that no command uses. They take
# a quarter of Keras's import time and a sixth of its memory.
UNUSED_BY_KERAS = ("sklearn", "matplotlib")


def be_quiet() -> None:
    """Silence TensorFlow, its libraries and JAX; errors still reach the user as exceptions.

    Must be called before they are imported. Variables that the user has set are kept.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    os.environ.setdefault("GLOG_minloglevel", "2")
    for name in ("tensorflow", "absl", "jax", "jax._src.xla_bridge"):
        logging.getLogger(name).setLevel(logging.ERROR)
    _add_finder(_Finder(LOUD, held_back))


def load_keras_alone() -> None:
    """Keep Keras from importing the packages `UNUSED_BY_KERAS`; only for commands.

    Must be called before Keras is imported. Commands can still import those packages themselves.
    """
    _add_finder(_Finder(("keras",), _without_unused))


def _add_finder(finder: _Finder) -> None:
    known = [held.names for held in sys.meta_path if isinstance(held, _Finder)]
    if finder.names not in known:
        sys.meta_path.insert(0, finder)


class _Finder(importlib.abc.MetaPathFinder):
    """Imports some packages as usual, but inside a context."""

    def __init__(self, names: tuple[str, ...], context: Callable):
        self.names, self.context = names, context

    def find_spec(self, fullname, path=None, target=None):
        if fullname not in self.names:
            return None
        sys.meta_path.remove(self)
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            sys.meta_path.insert(0, self)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self.context)
        return spec


class _Loader(importlib.abc.Loader):
    """A loader that executes modules inside a context."""

    def __init__(self, loader: importlib.abc.Loader, context: Callable):
        self._loader, self._context = loader, context

    def __getattr__(self, name: str):
        return getattr(self._loader, name)

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module) -> None:
        with self._context():
            self._loader.exec_module(module)


@contextlib.contextmanager
def _without_unused() -> Iterator[None]:
    """Hide `UNUSED_BY_KERAS` as if they were not installed, unless they are already imported."""
    hidden = [name for name in UNUSED_BY_KERAS if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # None: neither imported nor found
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Suppress output to file descriptor 2; if an error is raised, write it after all."""
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
        # Python hides DeprecationWarnings of libraries; FutureWarnings of Keras and NumPy do not
        # concern users either.
        warnings.simplefilter("ignore", FutureWarning)
        printed: set[str] = set()

        def show(message, category, filename, lineno, file=None, line=None):
            text = f"{program}: warning: {printable(' '.join(str(message).split()))}"
            if text not in printed:
                printed.add(text)
                print(text, file=sys.stderr)

        warnings.showwarning = show
        yield
