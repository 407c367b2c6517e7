import pytest

import zoo  # noqa: F401  before TensorFlow, for whose convolutions it sets oneDNN


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """No test writes to the user's cache or sees files of another test."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path_factory.mktemp("zoo_cache")))
