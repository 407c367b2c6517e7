"""Tables 3, 4 and 5 of Bazzani et al. with the published numbers and ours side by side."""

from __future__ import annotations

from collections.abc import Mapping

# Table 3, Hollywood2 mAP in per cent: (features, mode) -> experiments (1) to (5).
EXPERIMENTS = {
    1: "(1) original",
    2: "(2) weighted, truth",
    3: "(3) concat. (1, 2)",
    4: "(4) weighted, predicted",
    5: "(5) concat. (1, 4)",
}
TABLE_3 = {
    ("conv5", "feature"): (46.08, 40.76, 45.62, None, None),
    ("conv5", "clip"): (46.08, 44.89, 55.49, 39.42, 53.41),
    ("fc6", "clip"): (47.00, 41.78, 55.12, 39.00, 54.85),
}
PCA_OF_5 = 51.82  # experiment (5) reduced to the width of (1), section 4.2

# Table 4, Hollywood2 average precision in per cent. The first two columns use true saliency, the
# others predicted; central bias and saliency sampling are from Mathe and Sminchisescu, with
# another classifier.
TABLE_4_COLUMNS = ("SalSampling, truth", "RMDN, truth", "Central Bias", "SalSampling", "RMDN")
TABLE_4 = {
    "AnswerPhone": (28.1, 21.8, 23.3, 23.7, 29.8),
    "DriveCar": (94.8, 89.2, 92.4, 92.8, 91.6),
    "Eat": (67.3, 59.4, 58.6, 70.0, 49.1),
    "FightPerson": (80.6, 80.9, 76.3, 76.1, 79.2),
    "GetOutCar": (55.1, 78.0, 49.6, 54.9, 76.9),
    "HandShake": (27.6, 58.6, 26.5, 27.9, 47.0),
    "HugPerson": (37.8, 27.5, 34.6, 39.5, 37.9),
    "Kiss": (66.4, 52.2, 62.1, 61.3, 51.0),
    "Run": (85.7, 85.5, 77.8, 82.2, 83.2),
    "SitDown": (62.5, 31.8, 62.1, 69.0, 31.4),
    "SitUp": (30.7, 38.0, 20.9, 29.7, 39.7),
    "StandUp": (58.2, 37.8, 61.3, 63.9, 41.3),
    "Mean": (57.9, 55.1, 53.7, 57.6, 54.8),
}

# Table 5, UCF101 accuracy in per cent, mean of three folds.
TABLE_5 = {
    "Imagenet + linear SVM": 68.8,
    "iDT + BoW + linear SVM": 76.2,
    "Spatial stream network": 72.6,
    "LSTM composite model": 75.8,
    "scLSTM": 84.0,
    "LSTM (optical flow, images)": 88.6,
    "C3D + linear SVM": 80.4,
    "C3D + RMDN + linear SVM": 81.5,
    "C3D + RMDN + TCB + linear SVM": 82.8,
}
OURS_OF_5 = {
    "C3D + linear SVM": "original",
    "C3D + RMDN + linear SVM": "predicted",
    "C3D + RMDN + TCB + linear SVM": "diffused",
}


def table_3(here: Mapping, measure: str, dataset: str) -> str:
    """Format table 3 in Markdown; `here` maps (features, mode, experiment) to per cent."""
    lines = [
        f"Table 3. Published: mAP in % on Hollywood2. Here: {measure} in % on {dataset}.",
        "",
        "| input | saliency use | " + " | ".join(EXPERIMENTS.values()) + " |",
        "|---|---|" + "---|" * len(EXPERIMENTS),
    ]
    for (features, mode), published in TABLE_3.items():
        for name, values in (
            ("published", published),
            ("here", [here.get((features, mode, e)) for e in EXPERIMENTS]),
        ):
            cells = " | ".join(_cell(value) for value in values)
            lines.append(f"| {features.upper()} | {mode}, {name} | {cells} |")
    pca = here.get(("fc6", "clip", "pca"))
    lines.append(
        f"\n(5) of FC6 reduced by PCA to the width of (1): published {PCA_OF_5}, here {_cell(pca)}."
    )
    return "\n".join(lines)


def table_4(here: Mapping[str, Mapping[str, float]], classes, dataset: str) -> str:
    """Format table 4 in Markdown; `here` maps column, then class, to average precision in %."""
    lines = [
        f"Table 4. Published: average precision in % on Hollywood2. Here: the same on {dataset}.",
        "",
        "| class | " + " | ".join(TABLE_4_COLUMNS) + " | here: "
        "truth | here: central bias | here: predicted |",
        "|---|" + "---|" * (len(TABLE_4_COLUMNS) + 3),
    ]
    names = [name for name in TABLE_4 if name != "Mean"]
    own = list(classes) if set(classes) - set(names) else []
    for name in (*names, *own, "Mean"):
        published = TABLE_4.get(name, (None,) * len(TABLE_4_COLUMNS))
        ours = [here.get(column, {}).get(name) for column in ("truth", "central_bias", "predicted")]
        lines.append(f"| {name} | " + " | ".join(_cell(v) for v in (*published, *ours)) + " |")
    return "\n".join(lines)


def table_5(here: Mapping[str, float], dataset: str, folds: int) -> str:
    """Format table 5 in Markdown; `here` maps a kind of descriptor to its mean accuracy in %."""
    lines = [
        "Table 5. Published: accuracy in % on UCF101, mean of 3 folds. "
        f"Here: accuracy in % on {dataset}, {folds} fold{'s' * (folds > 1)}.",
        "",
        "| method | published | here |",
        "|---|---|---|",
    ]
    for name, published in TABLE_5.items():
        lines.append(f"| {name} | {published} | {_cell(here.get(OURS_OF_5.get(name)))} |")
    return "\n".join(lines)


def _cell(value) -> str:
    return "-" if value is None else f"{value:.2f}".rstrip("0").rstrip(".")
