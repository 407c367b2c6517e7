"""Data sets, each a module: `zoo.datasets.<name>.load(root, split=...)` returns records.

Nothing heavy is imported here; only `zoo.datasets.pipeline` and `samples` import TensorFlow.
"""
