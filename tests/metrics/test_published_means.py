"""The five means published with CrowdFix's sample frames."""

from __future__ import annotations

import cv2
import numpy as np
from keras import ops

from tests.real_data import data_dir
from zoo import metrics

PUBLISHED = {
    "auc_judd": 0.886609,
    "nss": 2.082149841767,
    "kl_divergence": 1.004732094371,
    "cc": 0.628661378805,
    "similarity": 0.452272011296,
}


def maps():
    root = data_dir("gaze", "crowdfix", "input_data")
    names = sorted(p.name for p in (root / "Dataset/DC/FIXATION_MAPS").glob("*.png"))
    folders = (
        "Model_Results/ACL_FPN_v4/DC/SALIENCY_MAPS",
        "Dataset/DC/FIXATION_MAPS",
        "Dataset/DC/GND_SALIENCY_MAPS",
    )
    assert len(names) == 10
    return [
        np.stack([cv2.imread(str(root / f / n), cv2.IMREAD_GRAYSCALE) for n in names])
        for f in folders
    ]


def check(found: dict) -> None:
    for name, value in PUBLISHED.items():
        tolerance = 2e-4 if name == "auc_judd" else 1e-5
        assert abs(metrics.frame_mean(found[name]) - value) < tolerance, name


def test_the_fast_path_reproduces_the_published_means():
    saliency, fixations, truth = maps()
    options = {"ties": "expected", "ddof": 1, "epsilon": 1e-12}
    check(metrics.saliency_metrics(saliency, fixations > 0, truth, **options))


def test_the_functions_reproduce_the_published_means():
    found = {name: [] for name in PUBLISHED}
    for saliency, fixations, truth in zip(*maps()):
        saliency, fixations, truth = saliency[None], fixations[None] > 0, truth[None]
        frame = {
            "auc_judd": metrics.auc_judd(saliency, fixations, ties="expected"),
            "nss": metrics.nss(saliency, fixations, ddof=1),
            "kl_divergence": metrics.kl_divergence(saliency, truth, epsilon=1e-12),
            "cc": metrics.cc(saliency, truth),
            "similarity": metrics.similarity(saliency, truth),
        }
        for name, value in frame.items():
            found[name].append(ops.convert_to_numpy(value)[0])
    check(found)
