"""TensorBoard callback that shows the attention of action models."""

from __future__ import annotations

import keras
import numpy as np

from zoo.visualize.attention import attention_picture
from zoo.visualize.tensorboard import Sample, TensorBoard


class AttentionBoard(TensorBoard):
    """`TensorBoard` whose samples show where and when an action model looks.

    A sample's `steps` are the indices of the input frames that its `frames` show, in order.

    Args:
        As `TensorBoard`.

    Example:

    ```python
    board = AttentionBoard("logs", samples=[Sample("juggling", inputs, frames, range(30))])
    ```
    """

    def draw(self, sample: Sample) -> np.ndarray:
        """The sample's frames, their heat maps and the temporal weights."""
        outputs = self.model(sample.inputs, training=False)
        steps = list(sample.steps)
        maps = {
            name: keras.ops.convert_to_numpy(outputs[name])[0]
            for name in ("spatial_attention", "temporal_attention")
            if name in outputs
        }
        spatial, temporal = maps.get("spatial_attention"), maps.get("temporal_attention")
        seen = next((len(m) if m is spatial else m.shape[1] for m in maps.values()), len(steps))
        if seen < max(steps, default=-1) + 1:  # A video backbone makes fewer maps than frames.
            length = max(steps) + 1
            steps = [step * seen // length for step in steps]
        return attention_picture(
            sample.frames,
            None if spatial is None else spatial[steps],
            None if temporal is None else temporal.mean(axis=0)[steps],
        )
