"""Seconds per frame and peak memory of a training step of every model, and in plain PyTorch.

    python benchmarks/train_speed.py --torch-python PATH [--only NAME ...] [--minutes 7] [--compile]

Both sides train the same layers with the same number of trained parameters, by plain SGD, on the
same number of random frames. The loss is the mean square of all outputs, so that it costs the same
on both sides; our penalties (weight decay, contrast, total variation, unimodality) are switched
off, because the PyTorch networks have none. Our models normalise raw pixels; the PyTorch networks
get numbers that need no preprocessing.

Each measurement runs in its own process: imports, build, one step that is not counted, then the
median of the following steps. Memory is the process's peak (VmHWM), split into the share of the
imports and the rest. PyTorch is measured in several forms, of which the fastest counts: "plain",
"channels_last" (or channels_last_3d), and with --compile also `torch.compile` of the faster one.
bfloat16 is `mixed_bfloat16` in Keras and `torch.autocast` in PyTorch. Rows measured earlier are
kept unless --again is given, so the page can be made in several runs; with --minutes, no row is
started after that time. Rows with "full" have the sizes whose step takes over 10 s. Writes
train_speed.json and .md.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from results_page import RESULTS, machine, write_results
from speed import PACKAGES

STEPS = 3
OPTIONS: dict[str, dict] = {  # without penalties; the general model as PyTorch's counterpart is
    "general_saliency": {"variant": 0, "memory": 16, "frame_rate": None},
    "soft_attention": {"weight_decay": 0.0},
    "spatiotemporal_attention": {"tv": 0.0, "contrast": 0.0, "unimodality": 0.0},
}
# name: model, whether dense, videos in the batch, frames, height and width
MODELS: dict[str, tuple] = {
    "rmdn clip": ("rmdn", False, 1, 17, (112, 112)),
    "rmdn dense": ("rmdn", True, 1, 16, (112, 112)),
    "lsts clip": ("lsts", False, 1, 24, (224, 224)),
    "lsts dense": ("lsts", True, 1, 16, (224, 224)),
    "soft_attention": ("soft_attention", False, 1, 30, (224, 224)),
    "spatiotemporal_attention": ("spatiotemporal_attention", False, 1, 16, (224, 224)),
    "joint clip": ("joint", False, 1, 17, (112, 112)),
    "joint dense": ("joint", True, 1, 16, (112, 112)),
    "general_saliency": ("general_saliency", False, 1, 16, (192, 320)),
    "rmdn dense, full": ("rmdn", True, 2, 48, (112, 112)),
}
FORMS = ("plain", "channels_last", "compile")
PRECISIONS = ("float32", "bfloat16")


def rows() -> dict[str, tuple]:
    """Name of a row -> its entry of `MODELS`, whether the backbone is trained, the precision."""
    found = {}
    for name, spec in MODELS.items():
        for trained in (True,) if "full" in name else (True, False):
            for precision in PRECISIONS:
                end = "backbone trained" if trained else "backbone frozen"
                found[f"{name}, {end}, {precision}"] = (*spec, trained, precision)
    return found


def peak_mib() -> float:
    """Peak resident memory of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise OSError("/proc/self/status has no line VmHWM: this script needs Linux")


def timed(step) -> dict:
    """Seconds of the first step, median of the following ones, and the peak memory."""
    taken = []
    for _ in range(1 + STEPS):
        start = time.perf_counter()
        step()
        taken.append(time.perf_counter() - start)
    return {"first_s": taken[0], "step_s": statistics.median(taken[1:]), "peak_mib": peak_mib()}


def measure_ours(row: tuple) -> dict:
    """A training step of the builder's model, by `train_on_batch`."""
    import zoo

    import keras
    import numpy as np
    from keras import ops

    model_name, dense, batch, frames, size, trained, precision = row
    build = getattr(zoo, model_name)
    keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else precision)
    keras.utils.set_random_seed(0)
    arguments = {"trainable_backbone": trained, **OPTIONS.get(model_name, {})}
    if model_name in ("rmdn", "joint", "lsts"):
        arguments["dense"] = dense
    if "attention" in model_name or model_name == "joint":
        arguments["num_classes"] = 10
    if not (dense and model_name == "lsts"):  # where `num_frames` is the head's window
        arguments["num_frames"] = frames
    base = peak_mib()
    model = build(**arguments)

    def squares(_, found):
        return ops.mean(ops.square(found))

    model.compile(keras.optimizers.SGD(1e-3), dict.fromkeys(model.output, squares))
    video = np.random.default_rng(0).integers(0, 255, (batch, frames, *size, 3)).astype("float32")
    targets = {name: np.zeros((batch, 1), "float32") for name in model.output}
    found = timed(lambda: model.train_on_batch(video, targets))
    parameters = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    return {**found, "base_mib": base, "parameters": parameters}


def measure_torch(row: tuple, form: str) -> dict:
    """A training step of the same network; `form` is one of `FORMS`, joined by "+"."""
    import torch_training

    import torch

    model_name, dense, batch, frames, size, trained, precision = row
    base = peak_mib()
    torch.manual_seed(0)
    network = torch_training.build(model_name, dense, trained, frames).train()
    video = torch.rand(batch, 3, frames, *size)
    if "channels_last" in form:
        convolutions = torch.nn.Conv3d, torch.nn.ConvTranspose3d
        for module in network.modules():
            three = isinstance(module, convolutions)
            if three or isinstance(module, (torch.nn.Conv2d, torch.nn.ConvTranspose2d)):
                last = torch.channels_last_3d if three else torch.channels_last
                module.to(memory_format=last)
        video = video.contiguous(memory_format=torch.channels_last_3d)
    weights = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(weights, 1e-3)
    forward = torch.compile(network) if "compile" in form else network

    def step():
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            outputs = forward(video)
        sum(x.float().square().mean() for x in outputs).backward()
        optimizer.step()

    found = timed(step)
    return {**found, "base_mib": base, "parameters": sum(p.numel() for p in weights)}


def run(python: str, name: str, side: str) -> dict:
    """One measurement in its own process; {"error": ...} if it fails."""
    command = [python, __file__, "--row", name, "--side", side]
    load = os.getloadavg()[0]
    done = subprocess.run(command, capture_output=True, text=True)
    lines = [line[7:] for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if not lines:
        return {"error": (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]}
    return {**json.loads(lines[0]), "load": load}


def measure_row(name: str, torch_python: str, known: dict, compiled: bool, again: bool) -> dict:
    """Measure ours and PyTorch's forms in turn; earlier values are kept unless `again`."""
    row = {} if again else dict(known)
    for side in ("ours", *FORMS[:2]):
        if side not in row:
            python = sys.executable if side == "ours" else torch_python
            row[side] = run(python, name, side)
            print(f"{name}, {side}: {told(row[side])}", flush=True)
    if compiled and "compile" not in row:
        better = min(FORMS[:2], key=lambda form: row[form].get("step_s", float("inf")))
        row["compile"] = {"of": better, **run(torch_python, name, f"{better}+compile")}
        print(f"{name}, compile of {better}: {told(row['compile'])}", flush=True)
    counts = {side: found["parameters"] for side, found in row.items() if "parameters" in found}
    if len(set(counts.values())) > 1:
        raise ValueError(f"{name}: the trained parameters must be equal. Received: {counts}")
    row["date"] = datetime.date.today().isoformat()
    return row


def told(found: dict) -> str:
    if "error" in found:
        return f"not measured: {found['error']}"
    return f"{found['step_s']:.2f} s a step, peak {found['peak_mib']:.0f} MiB"


def best_form(row: dict) -> str:
    """PyTorch's fastest form."""
    measured = [form for form in FORMS if "step_s" in row.get(form, {})]
    return min(measured, key=lambda form: row[form]["step_s"])


def page(results: dict) -> str:
    """The tables."""
    lines = [
        "# Training steps beside plain PyTorch",
        "",
        "By `python benchmarks/train_speed.py`, which says what is compared and how. Full width;",
        "the batch, frames and pixels are in the first column. Seconds a frame of the batch's;",
        "ratio: ours by PyTorch's fastest form. Memory in MiB: the peak, and less what the imports",
        "alone take; PyTorch's is that of its fastest form.",
        "",
        "| model, backbone | precision | ours, s | PyTorch, s | its form | ratio "
        "| ours, peak | PyTorch, peak | ours, less imports | PyTorch, less imports |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, (_, _, batch, frames, size, trained, precision) in rows().items():
        row = results["rows"].get(name)
        if row is None:
            continue
        ours, form = row["ours"], best_form(row)
        theirs, count = row[form], batch * frames
        told_form = f"compiled {row[form]['of']}" if form == "compile" else form
        model = name.split(", backbone")[0]
        lines.append(
            f"| {model}, {batch} x {frames} of {size[1]}x{size[0]}, "
            f"{'trained' if trained else 'frozen'} | {precision} "
            f"| {ours['step_s'] / count:.4f} | {theirs['step_s'] / count:.4f} | {told_form} "
            f"| {ours['step_s'] / theirs['step_s']:.2f} "
            f"| {ours['peak_mib']:.0f} | {theirs['peak_mib']:.0f} "
            f"| {ours['peak_mib'] - ours['base_mib']:.0f} "
            f"| {theirs['peak_mib'] - theirs['base_mib']:.0f} |"
        )
    failed = {
        f"{name}, {side}": found["error"]
        for name, row in results["rows"].items()
        for side, found in row.items()
        if isinstance(found, dict) and "error" in found
    }
    if failed:
        lines += ["", "Not measured:", ""]
        lines += [f"- {name}: {error}" for name, error in failed.items()]
    missing = [name for name in rows() if name not in results["rows"]]
    if missing:
        lines += ["", "No figures yet for:", "", *(f"- {name}" for name in missing)]
    found = results["rows"].values()
    machines = {side["environment"] for r in found for side in r.values() if "environment" in side}
    dates = {row["date"] for row in found}
    lines += ["", *sorted(machines), "", f"Measured {min(dates)} to {max(dates)}."]
    return "\n".join(lines)


def main() -> None:
    """Measure the rows that are missing, and write the page after each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", default=[], help="rows whose name holds one of these")
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--torch-python", default=sys.executable)
    parser.add_argument("--compile", action="store_true", help="try torch.compile too")
    parser.add_argument("--again", action="store_true", help="measure what is known, too")
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--list", action="store_true", help="name the rows and end")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    parser.add_argument("--side", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.row:
        row = rows()[options.row]
        found = measure_ours(row) if options.side == "ours" else measure_torch(row, options.side)
        print("RESULT " + json.dumps({**found, "environment": str(machine(*PACKAGES))}), flush=True)
        return
    if options.list:
        print("\n".join(rows()))
        return
    path = options.output / "train_speed.json"
    results = json.loads(path.read_text()) if path.exists() else {"rows": {}}
    start = time.monotonic()
    for name in rows():
        if options.only and not any(part in name for part in options.only):
            continue
        if time.monotonic() - start > 60 * options.minutes:
            print(f"{options.minutes:g} minutes are over: run again for the rest", flush=True)
            break
        known = results["rows"].get(name, {})
        results["rows"][name] = measure_row(
            name, options.torch_python, known, options.compile, options.again
        )
        write_results("train_speed", results, page(results), options.output)


if __name__ == "__main__":
    main()
