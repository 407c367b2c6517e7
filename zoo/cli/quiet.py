"""Loads Keras and its backend without chatter on the standard error stream, and sooner."""

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

# Their libraries write to the standard error stream while they are loaded, before any setting of
# a level takes effect.
LOUD = ("tensorflow", "jax")
# What Keras loads where it is installed, for wrappers and pictures that no command uses; together
# a quarter of the time and a sixth of the memory of loading it.
UNUSED_BY_KERAS = ("sklearn", "matplotlib")


def be_quiet() -> None:
    """Silence TensorFlow, its libraries and JAX; errors still reach the user as exceptions.

    Must be called before they are imported. What the user has set already is kept.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    os.environ.setdefault("GLOG_minloglevel", "2")
    for name in ("tensorflow", "absl", "jax", "jax._src.xla_bridge"):
        logging.getLogger(name).setLevel(logging.ERROR)
    _add_finder(_Finder(LOUD, held_back))


def load_keras_alone() -> None:
    """Keep Keras from loading what it can do without, `UNUSED_BY_KERAS`; for commands alone.

    Must be called before it is imported. The commands themselves load those packages as ever.
    """
    _add_finder(_Finder(("keras",), _without_unused))


def _add_finder(finder: _Finder) -> None:
    known = [held.names for held in sys.meta_path if isinstance(held, _Finder)]
    if finder.names not in known:
        sys.meta_path.insert(0, finder)


class _Finder(importlib.abc.MetaPathFinder):
    """Lets some packages be loaded as ever, but inside of a context."""

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
    """A loader that works inside of a context."""

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
    """`UNUSED_BY_KERAS` as if they were not installed, unless they are loaded already."""
    hidden = [name for name in UNUSED_BY_KERAS if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # None: neither imported nor found
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


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
