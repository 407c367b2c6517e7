import pytest


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """No test writes into the user's cache."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "zoo_cache"))
