"""Checks of training and prediction on a GPU that need no GPU.

On JAX every model's steps are lowered for CUDA; on TensorFlow every operation of their graphs has a
kernel for GPUs in the installed package.
"""

import keras
import pytest

from tests.conformance.device_cases import CASES, ONE_OF_EACH, OTHERS, batches

BACKEND = keras.backend.backend()
NAMES = [*ONE_OF_EACH, *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)]


def compiled(name):
    """A case's model, trained for one step, and a batch."""
    keras.utils.set_random_seed(0)
    make, losses, _ = CASES[name]
    model = make()
    model.compile(keras.optimizers.Adam(1e-3, global_clipnorm=1.0), loss=losses, jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    return model, batches(name, model, 1, 2)[0]


@pytest.mark.skipif(BACKEND != "jax", reason="`jax.export` is JAX's")
@pytest.mark.parametrize("name", NAMES)
def test_training_steps_lower_for_cuda(name):
    import jax

    model, batch = compiled(name)
    model.train_on_batch(*batch[:2], *batch[2:])  # creates the metrics' variables
    variables = (
        model.trainable_variables,
        model.non_trainable_variables,
        model.optimizer.variables,
        model.metrics_variables,
    )
    state = tuple([variable.value for variable in part] for part in variables)

    def predict(trainable, other, x):
        return model.stateless_call(trainable, other, x, training=False)[0]

    for step, arguments in (
        (model.train_step, (state, batch)),
        (predict, (state[0], state[1], batch[0])),
    ):
        exported = jax.export.export(jax.jit(step), platforms=["cuda"])(*arguments)
        assert exported.platforms == ("cuda",)


def operations(graph) -> set[str]:
    """Types of all operations in a graph and in the functions that it calls."""
    definition = graph.as_graph_def()
    nodes = [*definition.node]
    for function in definition.library.function:
        nodes.extend(function.node_def)
    return {node.op for node in nodes}


def without_gpu_kernel(types: set[str]) -> list[str]:
    """Operations that run only on CPUs; DEFAULT kernels run everywhere."""
    from tensorflow.python.framework import kernels

    found = []
    for kind in sorted(types):
        devices = {
            kernel.device_type for kernel in kernels.get_registered_kernels_for_op(kind).kernel
        }
        if devices and not devices & {"GPU", "DEFAULT"}:
            found.append(kind)
    return found


@pytest.mark.skipif(BACKEND != "tensorflow", reason="of TensorFlow's graphs")
@pytest.mark.parametrize("name", NAMES)
def test_every_operation_has_a_gpu_kernel(name):
    import tensorflow as tf

    assert without_gpu_kernel({"Conv3D", "SparseTensorDenseAdd"}) == ["SparseTensorDenseAdd"]
    model, batch = compiled(name)
    for step, data in ((model.train_step, batch), (model.predict_step, (batch[0],))):
        function = tf.function(step).get_concrete_function(tuple(data))
        assert not without_gpu_kernel(operations(function.graph))
