"""Trainable models of where people look in a video, what action it shows, and why.

Example:

```python
import zoo

model = zoo.rmdn()                       # a keras.Model
result = zoo.predict(model, "clip.mp4")  # a saliency map for every frame
```
"""

from pathlib import Path as _Path

# In a checkout the layers, data sets and recipes stand beside this folder; an installed
# distribution has them inside it. Both answer to `zoo.layers`, `zoo.datasets`, `zoo.recipes`.
_root = _Path(__file__).resolve().parent.parent
if (_root / "pyproject.toml").is_file() and (_root / "layers").is_dir():
    __path__.append(str(_root))

from zoo._moved import install as _install_moved  # noqa: E402

_install_moved()

from zoo import backbones, datasets, layers, losses, metrics, weights  # noqa: E402
from zoo._version import __version__  # noqa: E402
from zoo.inference.evaluate import evaluate  # noqa: E402
from zoo.inference.export import export  # noqa: E402
from zoo.inference.predict import predict  # noqa: E402
from zoo.models import (  # noqa: E402
    joint,
    list_models,
    load,
    lsts,
    rmdn,
    soft_attention,
    spatiotemporal_attention,
)

__all__ = [
    "__version__",
    "backbones",
    "datasets",
    "evaluate",
    "export",
    "joint",
    "layers",
    "list_models",
    "load",
    "losses",
    "lsts",
    "metrics",
    "predict",
    "rmdn",
    "soft_attention",
    "spatiotemporal_attention",
    "weights",
]
