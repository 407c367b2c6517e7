"""`import zoo` loads little, and every attribute is imported when it is first used."""

import json
import subprocess
import sys

import pytest

import zoo

HEAVY = ("tensorflow", "jax", "torch", "keras", "cv2", "av", "matplotlib", "scipy", "tyro", "rich")


def alone(code: str) -> str:
    """The output of Python code in a separate process."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


def test_import_loads_nothing_heavy():
    loaded = json.loads(alone("import json, sys, zoo; print(json.dumps(list(sys.modules)))"))
    assert not set(HEAVY) & set(loaded)


def test_help_loads_nothing_heavy():
    code = "import json, sys; from zoo.cli.main import main; main(['--help']); print()"
    loaded = json.loads(alone(f"{code}; print(json.dumps(list(sys.modules)))").splitlines()[-1])
    assert not set(HEAVY) & set(loaded)


def test_commands_load_keras_without_what_they_do_not_use():
    code = """
import sys
from zoo.cli.quiet import load_keras_alone
load_keras_alone()
import keras
print(sorted({"sklearn", "matplotlib"} & set(sys.modules)))
import sklearn.svm, matplotlib.figure
keras.layers.Dense(2)
"""
    assert alone(code) == "[]\n"


def test_every_public_name_exists():
    for name in zoo.__all__:
        assert getattr(zoo, name) is not None
    assert set(zoo.__all__) <= set(dir(zoo))
    with pytest.raises(AttributeError, match="no attribute 'rmdm'"):
        _ = zoo.rmdm


@pytest.mark.slow
def test_every_module_can_be_the_first_that_is_imported():
    """Forked from a process in which the libraries are loaded, but no module of the zoo."""
    code = """
import importlib, os, sys
import cv2, av, matplotlib, numpy, scipy, sklearn, rich, tyro, tensorflow, keras
sys.path.insert(0, ".")
from tests.test_floors import SOURCES
assert not any(name == "zoo" for name in sys.modules)
for name in SOURCES:
    if not name.endswith("__main__") and not os.fork():
        kept = sys.modules.pop("keras")  # with it `import zoo` registers all classes
        try:
            import zoo
            sys.modules["keras"] = kept
            importlib.import_module(name)
        except BaseException as error:
            print(name, repr(error), flush=True)
            os._exit(1)
        os._exit(0)
failed = 0
while True:
    try:
        failed += os.wait()[1] != 0
    except ChildProcessError:
        break
print("failed", failed)
"""
    assert alone(code).strip() == "failed 0"


def test_load_registers_the_classes_of_a_saved_model(tmp_path):
    import keras

    keras.utils.set_random_seed(0)
    zoo.rmdn(image_size=32, width=0.05, units=4, num_components=2, dense=True).save(
        tmp_path / "model.keras"
    )
    path = str(tmp_path / "model.keras")
    assert "rmdn" in alone(f"import zoo; print(zoo.load({path!r}).name)")
    # Keras's own loader finds the zoo's classes if Keras was imported first.
    code = f"import keras, zoo; print(keras.models.load_model({path!r}, compile=False).name)"
    assert "rmdn" in alone(code)
