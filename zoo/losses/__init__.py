"""Losses: a pure function and a thin Keras class each."""

from zoo.losses.mixture_nll import MixtureNLL, mixture_nll

__all__ = ["MixtureNLL", "mixture_nll"]
