"""DeepAR: one network for all series, trained and asked by the forecaster."""

from __future__ import annotations

from salescast.container.algorithms.deepar.hyperparameters import validate_hyperparameters
from salescast.recipes.trained import Algorithm, trained_recipe

ALGORITHM = Algorithm("deepar", validate_hyperparameters, libraries=("torch", "gluonts"))

RECIPE = trained_recipe(ALGORITHM)
