"""Loading published weights or our own into a model, and building the model that a file fits."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo._version import __version__
from zoo.backbones.own_models import check_settings, load_by_names
from zoo.weights.cache import locate
from zoo.weights.errors import WeightsError
from zoo.weights.mapping import Plan, apply, check, model_variables, plan
from zoo.weights.mean_clip import read_mean_clip
from zoo.weights.names.layouts import as_is
from zoo.weights.names.origin import PREFIXES, Origin, Rule, prefixes, recognise
from zoo.weights.origins import ORIGINS
from zoo.weights.provenance import read_provenance
from zoo.weights.reader import WeightFile, read_weights, sha256_of
from zoo.weights.record import Record

# Arguments of the builders that the weights depend on; others may differ from the file's.
_GRAPH = ("pool5_padding", "padding", "bn_epsilon", "batch_norm", "version", "variant")
_MEAN = "input_normalization/mean_image"


def load_weights(
    model: Any,
    source: str | Path,
    *,
    check_graph: bool = True,
    mean_clip: str | Path | None = None,
) -> dict[str, Any]:
    """Load all weights of a model from a file, strictly.

    Each variable of the model must be in the file, and each tensor of the file must be used or be
    known to be unnecessary; otherwise nothing is loaded, and the error shows a table of the
    differences.

    Args:
        model: A backbone built by `zoo.backbones`, or any model for a file saved from it.
        source: A weight file in any format that `zoo.weights` reads, or the name of a record.
        check_graph: Raise an error if settings of the model (padding, epsilon) differ from those
            that the weights were trained with.
        mean_clip: For `c3d(preprocessing="sports1m_mean_cube")`, the file of the mean clip,
            `.npy` or `.binaryproto`, (3, 16, height, width) in BGR.

    Returns:
        The provenance: source, checksum, origin, tensors left out.

    Raises:
        WeightsError: The file is invalid or does not fit the model.

    Example:

    ```python
    backbone = zoo.backbones.c3d(endpoint="fc6", pool5_padding="symmetric", preprocessing="none")
    zoo.weights.load_weights(backbone, "c3d.pickle")
    ```
    """
    path, record = locate(source)
    file = read_weights(path)
    return _load(model, file, record, check_graph, mean_clip)


def pretrained(
    source: str | Path, *, architecture: str | None = None, mean_clip: Any = None, **options: Any
) -> tuple[Any, dict[str, Any]]:
    """Build the backbone that a weight file fits, with the settings of its training, and load it.

    Args:
        source: A weight file, or the name of a record.
        architecture: "c3d", "i3d", "googlenet" or "resnet50", which the file must contain; None
            accepts any of them.
        mean_clip: As in `load_weights`.
        options: Arguments of the backbone, which override those that the file determines; with a
            warning if the weights were trained with other settings.

    Returns:
        The model and its provenance.

    Raises:
        WeightsError: The file is invalid or does not fit.

    Example:

    ```python
    model, provenance = zoo.weights.pretrained("rgb_imagenet.pt")   # an I3D with 400 classes
    ```
    """
    path, record = locate(source, architecture)
    file = read_weights(path)
    if architecture is not None and _is_saved_model(file):
        model = build(architecture, options)  # will be compared with the file layer by layer
        return model, {**_load(model, file, record, True, mean_clip), "options": options}
    chosen = graph_options(path, architecture=architecture, file=file, record=record)
    architecture = chosen.pop("architecture")
    _require_given(chosen, options, path)
    with _zeros_for_random_values():
        model = build(architecture, {**_without_endpoint(chosen, options), **options})
    other = {k: options[k] for k in _GRAPH if k in options and options[k] != chosen.get(k)}
    provenance = _load(model, file, record, not other, mean_clip)
    if other:
        trained = {key: chosen.get(key) for key in other}
        warnings.warn(
            f"The weights {source} were trained with other settings ({trained}), so outputs differ "
            f"from the published ones. Received: {other}",
            stacklevel=2,
        )
    provenance["architecture"] = architecture
    provenance["options"] = {**provenance.get("options", {}), **chosen, **options}
    return model, provenance


def graph_options(
    source: str | Path,
    *,
    architecture: str | None = None,
    head: bool = True,
    file: WeightFile | None = None,
    record: Record | None = None,
) -> dict[str, Any]:
    """The builder's arguments that a file's weights require, and its `architecture`.

    Args:
        source: A weight file, or the name of a record.
        architecture: The architecture that the file must contain; None accepts any.
        head: Include the arguments of the file's classifier: end point, number of classes.
        file: The file, if already read.
        record: The record, if known.

    Raises:
        WeightsError: The file is not recognised, or contains another architecture.
    """
    if file is None:
        path, record = locate(source, architecture)
        file = read_weights(path)
    own = read_provenance(file.path)
    if own is not None and "options" in own:
        result = {**own["options"], "architecture": own["architecture"]}
    else:
        origin, prefix = recognise(file.tensors, ORIGINS, record.origin if record else None)
        shapes = {name[len(prefix) :]: array.shape for name, array in file.tensors.items()}
        extra = dict(record.options) if record else {}
        inferred = {} if record else origin.told(shapes)
        result = {**origin.options, **inferred, **(origin.head(shapes) if head else {}), **extra}
        result["architecture"] = origin.architecture
    if architecture not in (None, result["architecture"]):
        raise WeightsError(
            f"The file must hold a {architecture}. Received: {file.path}, "
            f"which holds a {result['architecture']}"
        )
    return result


def build(architecture: str, options: dict[str, Any]) -> Any:
    """Build a backbone by name."""
    known = _architectures()
    if architecture not in known:
        raise WeightsError(f"The model must be one of {known}. Received: {architecture}")
    return getattr(importlib.import_module("zoo.backbones"), architecture)(**options)


def _architectures() -> list[str]:
    """Names of the backbones with known published weight files."""
    return sorted({origin.architecture for origin in ORIGINS})


def _require_given(chosen: dict[str, Any], options: dict[str, Any], path: Path) -> None:
    """Raise an error unless the arguments that the file does not determine are given."""
    if open_ones := [key for key, value in chosen.items() if value is None and key not in options]:
        raise WeightsError(
            f"{', '.join(open_ones)} must be given for this file, because several programs write "
            'files with these tensor names: `preprocessing="none"` for c3d-pytorch, "bgr_ucf101" '
            f"for pytorch-video-recognition. Received: {path}"
        )


@contextmanager
def _zeros_for_random_values() -> Iterator[None]:
    # All variables will be set from the file. TensorFlow would not release the memory of the
    # random initial values of the largest ones (270 MB for C3D's fc6).
    scaling = keras.initializers.VarianceScaling
    drawn = scaling.__call__
    scaling.__call__ = lambda self, shape, dtype=None: keras.ops.zeros(shape, dtype)
    try:
        yield
    finally:
        scaling.__call__ = drawn


def _without_endpoint(chosen: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    # If the caller selects an end point, leave out the file's classifier.
    if "endpoint" not in options:
        return chosen
    top = options.get("include_top") or options["endpoint"] == "Logits"
    unwanted = ("include_top",) if top else ("include_top", "num_classes")
    return {key: value for key, value in chosen.items() if key not in unwanted}


def _load(
    model: Any, file: WeightFile, record: Record | None, check_graph: bool, mean_clip: Any
) -> dict[str, Any]:
    provenance = {
        "source": file.path.name,
        "sha256": sha256_of(file.path),
        "format": file.format,
        "converter": f"video-attention-zoo {__version__}",
        "record": record.name if record else None,
        "preprocessing": record.preprocessing if record else None,
    }
    own = read_provenance(file.path)
    whole = own is not None and own["architecture"] not in _architectures()
    if file.format == "keras3" and (own is None or whole):
        loaded = _load_saved(model, file, check_graph)
        return {**provenance, "origin": "zoo", **(own or {}), **loaded}
    if own is not None:
        return {**provenance, **own, **_load_converted(model, file, own, check_graph)}
    given = {}
    if mean_clip is not None:
        if _MEAN not in model_variables(model):
            raise WeightsError(
                'For a mean clip, the model must be c3d(preprocessing="sports1m_mean_cube"). '
                "Received: "
                f"mean_clip={mean_clip} for {model.name}"
            )
        given[_MEAN] = read_mean_clip(mean_clip, model_variables(model)[_MEAN].shape)
    origin, prefix = _origin(model, file, record)
    if check_graph:
        _check_graph(origin, model, file)
    shapes = {name: array.shape for name, array in file.tensors.items()}
    result = plan(origin, prefix, shapes, model, tuple(given))
    check(result, f"{file.path} ({origin.name}) for {model.name}")
    apply(result, file.tensors, model, str(file.path))
    for name, values in given.items():
        model_variables(model)[name].assign(values)
    if prefix and prefix not in PREFIXES:
        warnings.warn(f"{file.path}: ignored the prefix {prefix!r} of all names", stacklevel=2)
    return {**provenance, "origin": origin.name, "prefix": prefix, **_listing(result)}


def _is_saved_model(file: WeightFile) -> bool:
    """Whether it is a `.keras` file written by a recipe or `zoo.save`."""
    own = file.path.suffix == ".keras" and file.format == "keras3"
    return own and read_provenance(file.path) is None


def _listing(result: Plan) -> dict[str, Any]:
    return {
        "tensors": len(result.assignments),
        "left_out": [f"{name}: {reason}" for name, reason in result.left_out],
        "set_to_one": result.filled,
    }


def _own_names(names: Iterable[str], architecture: str) -> Origin:
    rules = [Rule(name, name, as_is) for name in names]
    return Origin("own names", architecture, lambda _: rules)


def _origin(model: Any, file: WeightFile, record: Record | None) -> tuple[Origin, str]:
    variables = model_variables(model)
    for prefix in ("", *prefixes(file.tensors)):
        if all(prefix + name in file.tensors for name in variables):  # the model's own names
            return _own_names(variables, model.name), prefix
    origin, prefix = recognise(file.tensors, ORIGINS, record.origin if record else None)
    if not any(rule.target in variables for rule in origin.rules(model)):
        graph = ", ".join(f"{key}={value!r}" for key, value in origin.options.items())
        raise WeightsError(
            f"The file must fit the model. Received: {file.path} of {origin.name}, which fits "
            f"zoo.backbones.{origin.architecture}({graph}); the model {model.name} has other "
            f"layers, such as {sorted(variables)[:3]}"
        )
    return origin, prefix


def _check_graph(origin: Origin, model: Any, file: WeightFile) -> None:
    if difference := origin.graph(model):
        raise WeightsError(
            f"The model must have the settings that {origin.name} weights were trained with: "
            f"{difference}; or pass check_graph=False to accept different outputs. "
            f"Received: {file.path}"
        )


def _load_converted(
    model: Any, file: WeightFile, own: dict[str, Any], check_graph: bool
) -> dict[str, Any]:
    """Load a file written by `zoo convert`, also into a model without the last layers."""
    origin = next((origin for origin in ORIGINS if origin.name == own.get("origin")), None)
    if check_graph and origin is not None:
        _check_graph(origin, model, file)
    with _zeros_for_random_values():
        whole = build(own["architecture"], own["options"])
    if {v.path: v.shape for v in whole.weights} == {v.path: v.shape for v in model.weights}:
        _load_own(model, file)
        return {}
    _load_own(whole, file)
    tensors = {variable.path: keras.ops.convert_to_numpy(variable) for variable in whole.weights}
    names = _own_names(tensors, own["architecture"])
    shapes = {name: array.shape for name, array in tensors.items()}
    result = plan(names, "", shapes, model)
    check(result, f"{file.path} (converted, {own.get('origin')}) for {model.name}")
    apply(result, tensors, model, str(file.path))
    left_out = [*own.get("left_out", []), *_listing(result)["left_out"]]
    return {**_listing(result), "left_out": left_out}


def _load_saved(model: Any, file: WeightFile, check_graph: bool) -> dict[str, Any]:
    """Load a file saved by Keras, from the same model or one that contains its layers."""
    shapes = [tuple(array.shape) for name, array in file.tensors.items() if not _is_seed(name)]
    same = sorted(shapes) == sorted(tuple(v.shape) for v in model.weights)
    if same or file.path.suffix != ".keras":
        if check_graph and _is_saved_model(file):
            check_settings(model, file.path)
        _load_own(model, file)
        return {}
    return _listing(load_by_names(model, file.path, check_graph=check_graph))


def _is_seed(name: str) -> bool:
    return "seed_generator" in name


def _load_own(model: Any, file: WeightFile) -> None:
    states = [name for name in file.tensors if not _is_seed(name)]
    if len(states) != len(model.weights):
        raise WeightsError(
            "The file must be saved from the same model. Received: "
            f"{file.path} with {len(states)} tensors, for {model.name} with {len(model.weights)}"
        )
    try:
        model.load_weights(file.path)
    except Exception as error:
        raise WeightsError(
            f"The file must be saved from the same model. Received: {file.path} for "
            f"{model.name}: {str(error)[:500]}"
        ) from error
    unfit = [v.path for v in model.weights if not np.isfinite(keras.ops.convert_to_numpy(v)).all()]
    if unfit:
        raise WeightsError(f"The numbers must be finite. Received: {file.path}: {unfit[:10]}")
