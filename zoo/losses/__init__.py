"""Losses: for each, a pure function and a thin Keras class."""

from zoo.losses.density_cross_entropy import DensityCrossEntropy, density_cross_entropy
from zoo.losses.doubly_stochastic import DoublyStochastic, doubly_stochastic
from zoo.losses.log_concavity import LogConcavity, log_concavity
from zoo.losses.min_max_mse import MinMaxMSE, min_max_mse
from zoo.losses.mixture_nll import MixtureNLL, mixture_nll
from zoo.losses.saliency_correlation import SaliencyCorrelation, saliency_correlation
from zoo.losses.saliency_kl import SaliencyKL, saliency_kl
from zoo.losses.saliency_nss import SaliencyNSS, saliency_nss
from zoo.losses.saliency_sum import SaliencySum
from zoo.losses.step_cross_entropy import StepCrossEntropy, step_cross_entropy

__all__ = [
    "DensityCrossEntropy",
    "DoublyStochastic",
    "LogConcavity",
    "MinMaxMSE",
    "MixtureNLL",
    "SaliencyCorrelation",
    "SaliencyKL",
    "SaliencyNSS",
    "SaliencySum",
    "StepCrossEntropy",
    "density_cross_entropy",
    "doubly_stochastic",
    "log_concavity",
    "min_max_mse",
    "mixture_nll",
    "saliency_correlation",
    "saliency_kl",
    "saliency_nss",
    "step_cross_entropy",
]
