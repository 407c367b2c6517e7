"""Trainable models of where people look in a video, what action it shows, and why.

Example:

```python
import zoo

model = zoo.rmdn()                       # a keras.Model
result = zoo.predict(model, "clip.mp4")  # a saliency map for every frame
```

Everything is imported on first use: `import zoo` itself loads neither Keras nor its backend.
"""

from __future__ import annotations

import importlib as _importlib
import sys as _sys
from pathlib import Path as _Path
from typing import TYPE_CHECKING, Any

from zoo._processor import use_onednn as _use_onednn
from zoo._version import __version__

_use_onednn()

# In a checkout, the layers, data sets and recipes are next to this folder; in an installed
# distribution, inside it. Both are imported as `zoo.layers`, `zoo.datasets`, `zoo.recipes`.
_root = _Path(__file__).resolve().parent.parent
if (_root / "pyproject.toml").is_file() and (_root / "layers").is_dir():
    __path__.append(str(_root))

from zoo._moved import install as _install_moved  # noqa: E402

_install_moved()

if TYPE_CHECKING:
    from zoo import (
        backbones,
        datasets,
        inference,
        layers,
        losses,
        metrics,
        models,
        optimizers,
        recipes,
        training,
        visualize,
        weights,
    )
    from zoo.inference.evaluate import evaluate
    from zoo.inference.export import export
    from zoo.inference.predict import predict
    from zoo.models import (
        general_saliency,
        joint,
        list_models,
        load,
        lsts,
        rmdn,
        save,
        soft_attention,
        spatiotemporal_attention,
    )

# Where each function is defined.
_FUNCTIONS = {
    "evaluate": "zoo.inference.evaluate",
    "export": "zoo.inference.export",
    "general_saliency": "zoo.models",
    "joint": "zoo.models",
    "list_models": "zoo.models",
    "load": "zoo.models",
    "lsts": "zoo.models",
    "predict": "zoo.inference.predict",
    "rmdn": "zoo.models",
    "save": "zoo.models",
    "soft_attention": "zoo.models",
    "spatiotemporal_attention": "zoo.models",
}
_BACKENDS = ("tensorflow", "jax", "torch")
_SUBMODULES = (
    "backbones",
    "datasets",
    "inference",
    "layers",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "recipes",
    "training",
    "visualize",
    "weights",
)

__all__ = [
    "__version__",
    "backbones",
    "datasets",
    "evaluate",
    "export",
    "general_saliency",
    "inference",
    "joint",
    "layers",
    "list_models",
    "load",
    "losses",
    "lsts",
    "metrics",
    "models",
    "optimizers",
    "predict",
    "recipes",
    "rmdn",
    "save",
    "soft_attention",
    "spatiotemporal_attention",
    "training",
    "visualize",
    "weights",
]


def __getattr__(name: str) -> Any:
    if name not in _FUNCTIONS and name not in _SUBMODULES:
        raise AttributeError(f"module 'zoo' has no attribute {name!r}")
    try:
        module = _importlib.import_module(_FUNCTIONS.get(name, f"zoo.{name}"))
    except ModuleNotFoundError as error:
        if error.name not in _BACKENDS:
            raise
        raise ModuleNotFoundError(
            f"Keras's backend {error.name} must be installed: pip install "
            f"'video-attention-zoo[{error.name}]'; the environment variable KERAS_BACKEND chooses "
            f"another of {', '.join(_BACKENDS)}. Received: none",
            name=error.name,
        ) from error
    globals()[name] = getattr(module, name) if name in _FUNCTIONS else module
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if "keras" in _sys.modules:
    # If Keras is already loaded, `keras.models.load_model` must find the zoo's classes too;
    # `zoo.load` always finds them.
    _importlib.import_module("zoo.models.loading").register()
