from __future__ import annotations

import keras

from zoo.optimizers.clip_sum import ClipSum


@keras.saving.register_keras_serializable(package="zoo")
class RMSprop(ClipSum, keras.optimizers.RMSprop):
    """`keras.optimizers.RMSprop`, clipping the whole batch's gradient on any number of devices.

    Args: as `keras.optimizers.RMSprop`.

    Example: `zoo.optimizers.RMSprop(1e-4, global_clipnorm=20.0)`
    """
