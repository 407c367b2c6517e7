from __future__ import annotations

import keras

from zoo.optimizers.clip_sum import ClipSum


@keras.saving.register_keras_serializable(package="zoo")
class SGD(ClipSum, keras.optimizers.SGD):
    """`keras.optimizers.SGD`, clipping the whole batch's gradient on any number of devices.

    Args: as `keras.optimizers.SGD`.

    Example: `zoo.optimizers.SGD(1e-2, momentum=0.9, clipvalue=0.5)`
    """
