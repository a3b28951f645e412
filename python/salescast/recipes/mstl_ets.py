"""MSTL with exponential smoothing: each series by its own season and level."""

from __future__ import annotations

from salescast.container.algorithms.mstl_ets.hyperparameters import validate_hyperparameters
from salescast.recipes.trained import Algorithm, trained_recipe

ALGORITHM = Algorithm("mstl_ets", validate_hyperparameters, at_vintages="train")

RECIPE = trained_recipe(ALGORITHM)
