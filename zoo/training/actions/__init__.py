"""What the recipes of action models share: options, training, predictions and scores."""

from zoo.training.actions.recipe import run

__all__ = ["run"]
