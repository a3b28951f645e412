"""A direct feed-forward network: the quantiles of each week ahead at once."""

from __future__ import annotations

from salescast.container.algorithms.direct.hyperparameters import validate_hyperparameters
from salescast.recipes.trained import Algorithm, trained_recipe

ALGORITHM = Algorithm("direct", validate_hyperparameters, at_vintages="reuse")

RECIPE = trained_recipe(ALGORITHM)
