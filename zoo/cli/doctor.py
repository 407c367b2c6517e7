"""`zoo doctor`: show what is installed on this machine, and what is missing."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence

from zoo import _processor
from zoo.cli.messages import EXTRAS
from zoo.cli.parsing import call

PACKAGES = ("keras", "numpy", "scipy", "opencv-python", "av", "h5py", "matplotlib", "rich", "tyro")
BACKENDS = {"tensorflow": "tensorflow", "jax": "jax", "torch": "torch"}
DECODERS = ("h264", "hevc", "vp9", "av1", "mpeg4", "mjpeg")
LEAST_FREE = 2 * 2**30


def run(arguments: Sequence[str]) -> None:
    """Run the command."""
    call(examine, arguments, "doctor")


def examine() -> None:
    """Show versions, backend, devices, video codecs and free disk space.

    The exit status is 1 if something needs to be fixed. Include the output in bug reports.
    """
    problems: list[str] = []
    for title, part in (
        ("Versions", _versions),
        ("Backend", _backend),
        ("Video", _video),
        ("Disk", _disk),
    ):
        print(title)
        for line in part(problems.append):
            print(f"  {line}")
    for problem in problems:
        print(f"problem: {problem}")
    print("No problems found." if not problems else f"Problems found: {len(problems)}")
    if problems:
        raise SystemExit(1)


def _versions(problem: Callable[[str], None]) -> Iterator[str]:
    from zoo._version import __version__

    yield f"zoo {__version__}, Python {platform.python_version()}, {platform.platform()}"
    for package in PACKAGES:
        if (version := _version(package)) is None:
            problem(f"{package} is not installed: pip install {package}")
        else:
            yield f"{package} {version}"


def _backend(problem: Callable[[str], None]) -> Iterator[str]:
    held = {name: found for name, package in BACKENDS.items() if (found := _version(package))}
    yield "installed: " + (", ".join(f"{n} {v}" for n, v in held.items()) or "none")
    try:
        import keras
    except ImportError as error:
        problem(
            "Keras finds no backend: pip install 'video-attention-zoo[tensorflow]', or install "
            f"[jax] or [torch] and set KERAS_BACKEND ({error})"
        )
        return
    name = keras.backend.backend()
    yield f"chosen: {name} (KERAS_BACKEND or {os.path.join('~', '.keras', 'keras.json')})"
    try:
        devices = keras.distribution.list_devices()
        yield "devices: " + (", ".join(map(str, devices)) or "none")
    except (NotImplementedError, AttributeError):
        yield "devices: this backend does not list them"
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield f"processor cores: {threads}"
    if name == "tensorflow":
        setting = os.environ.get(_processor.VARIABLE)
        slow = "; bfloat16 is slow on this processor" if _processor.slow_in_bfloat16() else ""
        yield f"{_processor.VARIABLE}: {setting or 'not set'}{slow}"
    if "tensorflow" not in held:
        extra = EXTRAS["tensorflow"]
        yield f"training on videos needs TensorFlow's tf.data: install the extra [{extra}]"


def _video(problem: Callable[[str], None]) -> Iterator[str]:
    try:
        import av
    except ImportError as error:
        problem(f"PyAV does not load: {error}")
        return
    yield f"FFmpeg's libavcodec {'.'.join(map(str, av.library_versions['libavcodec']))}"
    missing = [name for name in DECODERS if not _codec(name, "r")]
    yield "decodes " + ", ".join(name for name in DECODERS if name not in missing)
    if missing:
        problem(f"FFmpeg does not decode {', '.join(missing)}")
    if _codec("libx264", "w"):
        yield "encodes h264 (libx264)"
    else:
        problem("FFmpeg has no libx264: films are written as mpeg4, which browsers do not play")


def _disk(problem: Callable[[str], None]) -> Iterator[str]:
    from zoo.weights.cache import cache_folder

    for what, folder in (
        ("this folder", os.getcwd()),
        ("temporary files", tempfile.gettempdir()),
        ("weights", str(cache_folder())),
    ):
        there = folder
        while not os.path.isdir(there):
            there = os.path.dirname(there) or "."
        free = shutil.disk_usage(there).free
        yield f"{what}: {free / 2**30:.1f} GiB free in {folder}"
        if free < LEAST_FREE:
            problem(f"less than 2 GiB are free in {folder}")
        if not os.access(there, os.W_OK):
            problem(f"{there} is not writable")


def _version(package: str) -> str | None:
    for name in (package, f"{package}-headless", f"{package}-cpu"):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def _codec(name: str, mode: str) -> bool:
    import av

    try:
        av.codec.Codec(name, mode)
    except ValueError:
        return False
    return True
