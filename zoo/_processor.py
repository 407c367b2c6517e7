"""What TensorFlow computes fast on this processor, and the setting that makes more of it fast.

TensorFlow's packages for x86 contain the kernels of oneDNN, but use them by default only on
processors with AVX512-VNNI, AVX-VNNI or AMX. On others a training step takes 1.3 to 3 times as long
without them, see docs/speed.md. TensorFlow reads the setting once, when it is imported.
"""

from __future__ import annotations

import functools
import os
import platform
import sys
import warnings

VARIABLE = "TF_ENABLE_ONEDNN_OPTS"
# Flags of Linux for processors on which TensorFlow uses oneDNN without being told.
BY_DEFAULT = {"avx512_vnni", "avx512_bf16", "avx_vnni", "amx_tile", "amx_int8", "amx_bf16"}


def use_onednn() -> None:
    """Let TensorFlow use oneDNN's kernels on every x86 processor, unless the user has decided."""
    if VARIABLE in os.environ or platform.machine().lower() not in ("x86_64", "amd64"):
        return
    if "tensorflow" not in sys.modules:
        os.environ[VARIABLE] = "1"
    elif flags() and not flags() & BY_DEFAULT and not _has_gpu():
        warnings.warn(
            "TensorFlow was imported before zoo, so on this processor it computes without "
            "oneDNN, which takes up to three times as long. Import zoo first, or set the "
            f"environment variable {VARIABLE}=1",
            stacklevel=3,
        )


def warn_of_slow_bfloat16() -> None:
    """Warn if TensorFlow has no fast kernels for bfloat16 on this processor."""
    if slow_in_bfloat16():
        warnings.warn(
            "This processor has no AVX-512 instructions, so TensorFlow takes 2 to 10 times as long "
            "in bfloat16 as in float32. Use float32",
            stacklevel=3,
        )


def slow_in_bfloat16() -> bool:
    """Whether TensorFlow computes on this processor, and has no fast kernels for bfloat16 there."""
    return bool(flags()) and "avx512f" not in flags() and not _has_gpu()


@functools.cache
def flags() -> frozenset[str]:
    """Instruction sets that an x86 processor has; empty where Linux does not list them."""
    try:
        with open("/proc/cpuinfo") as file:
            line = next((line for line in file if line.startswith("flags")), "")
    except OSError:
        return frozenset()
    return frozenset(line.partition(":")[2].split())


def _has_gpu() -> bool:
    return os.path.exists("/dev/nvidiactl")
