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

from zoo import datasets, layers, losses, metrics  # noqa: E402
from zoo._version import __version__  # noqa: E402
from zoo.models.loading import load  # noqa: E402
from zoo.models.rmdn import rmdn  # noqa: E402

__all__ = ["__version__", "datasets", "layers", "load", "losses", "metrics", "rmdn"]
