"""Floors: a file imports only its own floor and lower ones, and no import is circular."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Lowest first; folders on one line are on the same floor.
FLOORS = [
    ("zoo.files", "zoo.layers"),
    ("zoo.losses", "zoo.metrics", "zoo.optimizers"),
    ("zoo.weights",),
    ("zoo.backbones",),
    ("zoo.models",),
    ("zoo.visualize",),
    ("zoo.inference",),
    ("zoo.training",),
    ("zoo.recipes", "zoo.cli"),
]
# These may import TensorFlow; the other folders run on any backend.
TENSORFLOW = ("zoo.datasets", "zoo.training", "zoo.recipes", "zoo.cli")
TENSORFLOW_FILES = (  # things that only TensorFlow has: its formats, replicas
    "zoo.weights.formats.tensorflow_checkpoint",
    "zoo.inference.exporting.formats",
    "zoo.layers.batch_normalization",  # one kernel for what is many operations of keras.ops
    "zoo.layers.replicas",  # `tf.distribute`, which keras.ops does not support
)
MOST_FILES = 24


def sources() -> dict[str, Path]:
    """All source files by module name."""
    found = {}
    for top in ("zoo", "layers", "datasets", "recipes"):
        for path in sorted((ROOT / top).rglob("*.py")):
            parts = list(path.relative_to(ROOT).with_suffix("").parts)
            parts = parts if top == "zoo" else ["zoo", *parts]
            found[".".join(part for part in parts if part != "__init__")] = path
    return found


SOURCES = sources()


def imported(path: Path) -> set[str]:
    """Modules that a file imports anywhere, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if full in SOURCES else node.module)
    return found


IMPORTS = {name: imported(path) for name, path in SOURCES.items()}


def floor(name: str) -> int | None:
    for height, folders in enumerate(FLOORS):
        if any(name == folder or name.startswith(folder + ".") for folder in folders):
            return height
    return None


def test_every_folder_is_packaged():
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 has none")
    with open(ROOT / "pyproject.toml", "rb") as file:
        named = tomllib.load(file)["tool"]["setuptools"]["packages"]
    assert named == sorted(n for n, path in SOURCES.items() if path.name == "__init__.py")


def test_the_walk_finds_all_folders():
    assert len(SOURCES) > 200
    assert any(name.startswith("zoo.layers") for name in IMPORTS["zoo.models.rmdn"])
    assert floor("zoo.layers.per_step") < floor("zoo.models.rmdn") < floor("zoo.recipes.rmdn")


def test_no_file_imports_a_higher_floor():
    wrong = [
        f"{name} imports {other}"
        for name, others in IMPORTS.items()
        for other in others
        if floor(name) is not None and floor(other) is not None and floor(other) > floor(name)
    ]
    assert not wrong


def test_data_sets_import_only_files():
    wrong = [
        f"{name} imports {other}"
        for name, others in IMPORTS.items()
        for other in others
        if name.startswith("zoo.datasets") and floor(other) is not None
        if not other.startswith("zoo.files")
    ]
    assert not wrong


def test_there_are_no_circles():
    uses = {name: {o for o in IMPORTS[name] if o in SOURCES and o != "zoo"} for name in SOURCES}

    def reached(start: str) -> set[str]:
        seen, waiting = set(), [start]
        while waiting:
            for name in uses[waiting.pop()] - seen:
                seen.add(name)
                waiting.append(name)
        return seen

    assert not sorted(name for name in SOURCES if name in reached(name))


def test_tensorflow_is_imported_only_where_it_may_be():
    wrong = [
        name
        for name, others in IMPORTS.items()
        if any(other.split(".")[0] == "tensorflow" for other in others)
        and not name.startswith(TENSORFLOW)
        and name not in TENSORFLOW_FILES
    ]
    assert not wrong


@pytest.mark.parametrize("folder", sorted({path.parent for path in SOURCES.values()}), ids=str)
def test_a_folder_holds_few_files(folder):
    assert len(list(folder.glob("*.py"))) <= MOST_FILES


def test_data_sets_are_attributes_of_the_package():
    import zoo

    assert zoo.datasets.ucf101.CLASSES[0] == "ApplyEyeMakeup"
    assert zoo.datasets.gaze.read_fixations is not None
    with pytest.raises(AttributeError, match="no attribute 'ucf102'"):
        _ = zoo.datasets.ucf102


def test_moved_modules_keep_their_old_names():
    import importlib
    import sys

    from zoo._moved import MOVED

    for old, new in MOVED.items():
        sys.modules.pop(old, None)
        with pytest.warns(DeprecationWarning, match=new):
            module = importlib.import_module(old)
        found = importlib.import_module(new)
        assert module.__doc__ == found.__doc__
        names = [name for name in vars(found) if not name.startswith("_")]
        assert all(getattr(module, name) is getattr(found, name) for name in names)
