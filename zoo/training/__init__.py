"""Training tools that all recipes share: `fit`, its callbacks, schedules and devices.

```python
zoo.training.fit(model, data, output="runs/mine", epochs=10, steps=100)
```
"""

from zoo.training.devices import Devices
from zoo.training.engine.best_checkpoint import BestCheckpoint
from zoo.training.engine.build import callbacks
from zoo.training.engine.early_stopping import EarlyStopping
from zoo.training.engine.evaluate import Evaluate
from zoo.training.engine.finish_epoch import FinishEpoch
from zoo.training.engine.finite_loss import FiniteLoss
from zoo.training.engine.profile import Profile
from zoo.training.engine.progress import Progress
from zoo.training.engine.progress_bar import ProgressBar
from zoo.training.engine.state import State
from zoo.training.engine.timing import InputWait, Timing
from zoo.training.fit import fit
from zoo.training.optimizers import make_optimizer
from zoo.training.run import claim_output, prepare_run
from zoo.training.schedules import Halving, StepDecay, WarmCosine

__all__ = [
    "BestCheckpoint",
    "Devices",
    "EarlyStopping",
    "Evaluate",
    "FinishEpoch",
    "FiniteLoss",
    "Halving",
    "InputWait",
    "Profile",
    "Progress",
    "ProgressBar",
    "State",
    "StepDecay",
    "Timing",
    "WarmCosine",
    "callbacks",
    "claim_output",
    "fit",
    "make_optimizer",
    "prepare_run",
]
