"""The results of an evaluation, and their table."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.markup import escape
from rich.table import Table

from zoo.files.printable import one_line

METRICS = {
    "auc_judd": ("AUC-J", True),
    "auc_shuffled": ("sAUC", True),
    "nss": ("NSS", True),
    "cc": ("CC", True),
    "similarity": ("SIM", True),
    "kl_divergence": ("KL", False),
    "information_gain": ("IG bits", True),
    "log_likelihood": ("LL nats", True),
}
MEANINGS = {
    "auc_judd": "how well the map's values separate fixated pixels from all others; 0.5 is chance",
    "auc_shuffled": "like AUC-J, but against the fixations of other videos, so that a central "
    "bias gains nothing; 0.5 is chance",
    "nss": "the map's mean value at the fixations, in standard deviations above its mean; 0 is "
    "chance",
    "cc": "correlation of the map with the blurred fixations, from -1 to 1",
    "similarity": "overlap of the map and the blurred fixations, as distributions, from 0 to 1",
    "kl_divergence": "information lost when the map approximates the blurred fixations, in nats; 0 "
    "is perfect",
    "information_gain": "mean information about a fixation beyond the central bias, in bits",
    "log_likelihood": "mean log density at the fixations relative to a uniform map, in nats",
}


@dataclass(frozen=True)
class Evaluation:
    """Results of models and baselines.

    Attributes:
        videos: one dict per video: its name, frame counts and, for each method and metric, the
            sum and the number of the per-frame values.
        settings: the settings of the evaluation.
        notes: remarks for the reader: excluded frames, baselines that could not be computed.
        output: folder of the files, or None.
        actions: for joint models, model name to video name to {"label", "probabilities"}.

    Example:

    ```python
    evaluation = zoo.evaluate(model, test_records, train_records=train_records)
    evaluation.table["rmdn"]["nss"]
    ```
    """

    videos: list[dict]
    settings: dict
    notes: list[str] = field(default_factory=list)
    output: str | None = None
    actions: dict[str, dict[str, dict]] = field(default_factory=dict)

    @property
    def methods(self) -> list[str]:
        """Names of the models, then of the baselines, in the order given to `zoo.evaluate`."""
        return list(dict.fromkeys(name for video in self.videos for name in video["metrics"]))

    @property
    def table(self) -> dict[str, dict[str, float]]:
        """`video_mean` by method and metric: the mean over frames, then over videos."""
        return {name: self._means(name, self._video_mean) for name in self.methods}

    @property
    def frame_means(self) -> dict[str, dict[str, float]]:
        """`frame_mean` by method and metric: the mean over the frames of all videos."""
        return {name: self._means(name, self._frame_mean) for name in self.methods}

    @property
    def explained_information(self) -> dict[str, float]:
        """Information explained by each model, from 0 (trained central bias) to 1 (true density).

        (LL - LL of the trained central bias) / (LL of the truth - LL of the trained central bias)
        """
        table = self.table
        low, high = (
            table.get(name, {}).get("log_likelihood", np.nan)
            for name in ("trained_central_bias", "true_density")
        )
        if not high > low:
            return {}
        models = [name for name in self.settings["models"] if name in table]
        return {name: (table[name]["log_likelihood"] - low) / (high - low) for name in models}

    @property
    def action(self) -> dict[str, dict[str, float]]:
        """For each joint model, the number of labelled videos ("videos") and the "accuracy".

        If a video has several labels, the "mean_average_precision" instead of the accuracy.
        """
        return {name: _action_scores(videos) for name, videos in self.actions.items()}

    def action_summary(self, model: str) -> str:
        """One line with the action's results of one joint model."""
        values = dict(self.action[model])
        count = values.pop("videos")
        ((metric, value),) = values.items()
        return f"{model}, action: {metric.replace('_', ' ')} {value:.3f} over {count} videos"

    @property
    def frames_without_fixations(self) -> dict[str, list[int]]:
        """Frames without a fixation, which have no metrics, by video."""
        found = {v["name"]: v["frames_without_fixations"] for v in self.videos}
        return {name: frames for name, frames in found.items() if frames}

    def to_json(self) -> dict:
        """All results as plain lists, dicts and numbers."""
        action = {"action": self.action, "actions": self.actions} if self.actions else {}
        return {
            "video_mean": self.table,
            "frame_mean": self.frame_means,
            "explained_information": self.explained_information,
            "num_videos": len(self.videos),
            "num_frames": sum(v["num_frames"] for v in self.videos),
            "frames_evaluated": sum(v["frames_evaluated"] for v in self.videos),
            "frames_without_fixations": self.frames_without_fixations,
            "settings": self.settings,
            "notes": self.notes,
            "videos": self.videos,
            **action,
        }

    def rich_table(self) -> Table:
        """The table for a terminal. Bold: best of each column, except viewers and true density."""
        names = self.columns
        # At most 80 columns wide, so that it fits into a log file.
        table = Table(title=self.title, box=None, padding=(0, 1, 0, 0), pad_edge=False)
        table.add_column("", no_wrap=True)
        for name in names:
            table.add_column(METRICS[name][0], justify="right", no_wrap=True)
        rows, best = self.table, self.best
        for method, values in rows.items():
            cells = []
            for name in names:
                text = format_value(values.get(name, np.nan))
                cells.append(f"[bold]{text}[/bold]" if best.get(name) == method else text)
            table.add_row(escape(one_line(method)), *cells)
        return table

    @property
    def title(self) -> str:
        """Title of the table."""
        frames = sum(v["frames_evaluated"] for v in self.videos)
        return f"Means over {len(self.videos)} videos ({frames} frames with fixations)"

    @property
    def columns(self) -> list[str]:
        """The metrics available for at least one method."""
        found = {name for values in self.table.values() for name in values}
        return [name for name in METRICS if name in found]

    @property
    def best(self) -> dict[str, str]:
        """Best method for each metric, excluding viewers and the true density."""
        table, best = self.table, {}
        for name in self.columns:
            sign = 1.0 if METRICS[name][1] else -1.0
            values = {
                method: sign * row[name]
                for method, row in table.items()
                if method not in ("viewers", "true_density") and np.isfinite(row.get(name, np.nan))
            }
            if values:
                best[name] = max(values, key=values.get)
        return best

    def _means(self, method, mean):
        parts = [v["metrics"][method] for v in self.videos if method in v["metrics"]]
        names = [n for n in METRICS if any(n in part for part in parts)]
        return {name: mean([part[name] for part in parts if name in part]) for name in names}

    @staticmethod
    def _video_mean(parts):
        means = [part["sum"] / part["count"] for part in parts if part["count"]]
        return float(np.mean(means)) if means else float("nan")

    @staticmethod
    def _frame_mean(parts):
        count = sum(part["count"] for part in parts)
        return float(sum(part["sum"] for part in parts) / count) if count else float("nan")


def _action_scores(videos: dict[str, dict]) -> dict[str, float]:
    labels = [found["label"] for found in videos.values()]
    scores = np.array([found["probabilities"] for found in videos.values()])
    if not any(isinstance(label, list) for label in labels):
        accuracy = float(np.mean(scores.argmax(1) == np.array(labels)))
        return {"videos": len(labels), "accuracy": accuracy}
    from zoo.metrics import mean_average_precision

    hot = np.zeros(scores.shape, int)
    for row, label in zip(hot, labels):
        row[label if isinstance(label, list) else [label]] = 1
    precision = float(mean_average_precision(hot, scores))
    return {"videos": len(labels), "mean_average_precision": precision}


def format_value(value: float) -> str:
    """Format a number for a table; values that are not finite become a dash."""
    return "-" if not np.isfinite(value) else f"{value:.3f}"


def safe_name(name: str) -> str:
    """Turn a record's name into a valid file name."""
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in Path(name).as_posix())
