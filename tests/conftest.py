import pytest

import zoo  # noqa: F401  before Keras and TensorFlow, for whose convolutions it sets oneDNN


def pytest_runtest_setup():
    """A test's random numbers, and those of its fixtures, do not depend on the tests before it."""
    import keras

    keras.utils.set_random_seed(0)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """No test writes to the user's cache or sees files of another test."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path_factory.mktemp("zoo_cache")))
