"""oneDNN's kernels are on before TensorFlow is loaded, and what is slow is said."""

import os
import subprocess
import sys
import warnings

import pytest

from zoo import _processor

X86 = _processor.platform.machine() in ("x86_64", "AMD64")
OLD = frozenset({"avx2", "fma"})


def alone(code: str, **environment: str) -> str:
    """The output of Python code in a separate process, in which the variable is not set."""
    held = {k: v for k, v in os.environ.items() if k != _processor.VARIABLE} | environment
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=held
    )
    return done.stdout.strip()


@pytest.mark.skipif(not X86, reason="oneDNN's setting concerns x86 processors")
def test_importing_zoo_turns_onednn_on_unless_the_user_has_decided():
    code = "import os, zoo; print(os.environ['TF_ENABLE_ONEDNN_OPTS'])"
    assert alone(code) == "1"
    assert alone(code, TF_ENABLE_ONEDNN_OPTS="0") == "0"


@pytest.fixture
def loaded_too_early(monkeypatch):
    monkeypatch.delenv(_processor.VARIABLE, raising=False)
    monkeypatch.setattr(_processor.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(_processor, "_has_gpu", lambda: False)
    monkeypatch.setitem(sys.modules, "tensorflow", object())
    return lambda flags: monkeypatch.setattr(_processor, "flags", lambda: frozenset(flags))


def test_tensorflow_loaded_before_zoo_is_reported_where_it_matters(loaded_too_early):
    loaded_too_early(OLD)
    with pytest.warns(UserWarning, match="Import zoo first, or set .* TF_ENABLE_ONEDNN_OPTS=1"):
        _processor.use_onednn()
    assert _processor.VARIABLE not in os.environ
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for flags in ((), {*OLD, "avx_vnni"}):  # unknown; oneDNN is on by default
            loaded_too_early(flags)
            _processor.use_onednn()


def test_slow_bfloat16_is_reported(loaded_too_early, monkeypatch):
    loaded_too_early(OLD)
    with pytest.warns(UserWarning, match="2 to 10 times"):
        _processor.warn_of_slow_bfloat16()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded_too_early({*OLD, "avx512f"})
        _processor.warn_of_slow_bfloat16()
        loaded_too_early(OLD)
        monkeypatch.setattr(_processor, "_has_gpu", lambda: True)
        _processor.warn_of_slow_bfloat16()
