import pytest


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """No test writes into the user's cache, or finds what another test left there."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path_factory.mktemp("zoo_cache")))
