from __future__ import annotations

import keras

from zoo.optimizers.clip_sum import ClipSum


@keras.saving.register_keras_serializable(package="zoo")
class Adam(ClipSum, keras.optimizers.Adam):
    """`keras.optimizers.Adam`, clipping the whole batch's gradient on any number of devices.

    Args: as `keras.optimizers.Adam`.

    Example: `zoo.optimizers.Adam(1e-4, global_clipnorm=20.0)`
    """
