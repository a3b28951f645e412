"""The catalogue of departments and how their sales respond to events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class DepartmentProfile:
    """What makes a department's sales its own; effects are in logarithms of sales.

    Attributes:
        category: Group of departments for reports.
        weekly_sales: Money a week in a store of middle size.
        growth: Change a year.
        annual: Height of the yearly wave.
        peak_day: Day of the year on which the wave peaks.
        events: Height of the department's response to each event of `EVENT_SHAPES`.
        uplift: Response to a promotion.
        noise: Spread of a week in a series of middle size.
        weekend: Sunday's, Friday's and Saturday's gain over the other days.
        per_degree: Response to each degree above the weather usual in that week.
        returns: Share of rows in which returns exceed sales.
    """

    category: str
    weekly_sales: float
    growth: float
    annual: float
    peak_day: int
    events: Mapping[str, float] = field(default_factory=dict)
    uplift: float = 0.25
    noise: float = 0.06
    weekend: tuple[float, float, float] = (0.1, 0.25, 0.4)
    per_degree: float = 0.0
    returns: float = 0.0


# The first twelve are the default chain, so they cover the kinds of season there are.
DEPARTMENTS: dict[str, DepartmentProfile] = {
    "grocery": DepartmentProfile(
        "food", 46000, 0.02, 0.03, 350,
        {"thanksgiving": 0.35, "christmas": 0.25, "easter": 0.18, "super_bowl": 0.12},
        uplift=0.20, noise=0.040,
    ),
    "bakery": DepartmentProfile(
        "food", 14000, 0.03, 0.05, 340,
        {"thanksgiving": 0.5, "christmas": 0.35, "easter": 0.35, "valentines_day": 0.12},
        uplift=0.20, noise=0.05, weekend=(0.3, 0.2, 0.45),
    ),
    "toys": DepartmentProfile(
        "general", 7500, 0.0, 0.10, 345,
        {"christmas": 1.45, "black_friday": 0.9, "easter": 0.3, "new_year_slump": -0.35},
        uplift=0.38, noise=0.08, weekend=(0.3, 0.3, 0.6), returns=0.0004,
    ),
    "garden": DepartmentProfile(
        "home", 9000, 0.03, 0.85, 150,
        {"mothers_day": 0.35, "independence_day": 0.15, "easter": 0.22},
        uplift=0.32, noise=0.08, weekend=(0.4, 0.2, 0.65), per_degree=0.015,
    ),
    "clothing": DepartmentProfile(
        "fashion", 16000, -0.02, 0.08, 300,
        {"christmas": 0.6, "black_friday": 0.7, "back_to_school": 0.3, "new_year_slump": -0.25},
        uplift=0.36, noise=0.07, weekend=(0.3, 0.3, 0.6), returns=0.0008,
    ),
    "electronics": DepartmentProfile(
        "general", 18000, 0.05, 0.05, 340,
        {"black_friday": 1.25, "christmas": 0.85, "super_bowl": 0.2, "after_christmas": 0.15},
        uplift=0.40, noise=0.08, weekend=(0.2, 0.3, 0.5), returns=0.0008,
    ),
    "beverages": DepartmentProfile(
        "food", 17000, 0.03, 0.18, 195,
        {"independence_day": 0.35, "super_bowl": 0.25, "thanksgiving": 0.25, "christmas": 0.3},
        uplift=0.34, noise=0.05, per_degree=0.008,
    ),
    "sweets": DepartmentProfile(
        "food", 6500, 0.01, 0.06, 350,
        {"easter": 0.95, "halloween": 0.75, "valentines_day": 0.5, "christmas": 0.7},
        uplift=0.30, noise=0.06,
    ),
    "household": DepartmentProfile(
        "home", 15000, 0.02, 0.03, 110,
        {"christmas": -0.08, "new_year_slump": -0.05}, uplift=0.34, noise=0.05,
    ),
    "health_beauty": DepartmentProfile(
        "health", 12000, 0.04, 0.03, 30,
        {"mothers_day": 0.28, "christmas": 0.35, "valentines_day": 0.12}, uplift=0.28, noise=0.05,
    ),
    "jewellery": DepartmentProfile(
        "fashion", 2200, -0.03, 0.03, 340,
        {"christmas": 1.1, "valentines_day": 0.8, "mothers_day": 0.6, "black_friday": 0.4},
        uplift=0.30, noise=0.13, weekend=(0.2, 0.3, 0.6), returns=0.003,
    ),
    "stationery": DepartmentProfile(
        "general", 4200, -0.02, 0.05, 240,
        {"back_to_school": 0.95, "christmas": 0.4}, uplift=0.28, noise=0.08,
    ),
    "produce": DepartmentProfile(
        "food", 21000, 0.03, 0.08, 180,
        {"thanksgiving": 0.3, "independence_day": 0.15, "easter": 0.1}, uplift=0.2, noise=0.045,
    ),
    "meat": DepartmentProfile(
        "food", 19000, 0.02, 0.06, 190,
        {"thanksgiving": 0.4, "independence_day": 0.35, "easter": 0.35, "christmas": 0.3},
        uplift=0.28, noise=0.05,
    ),
    "frozen_food": DepartmentProfile(
        "food", 11000, 0.02, 0.14, 195, {"thanksgiving": 0.2}, uplift=0.3, noise=0.05,
        per_degree=0.005,
    ),
    "dairy": DepartmentProfile(
        "food", 16000, 0.01, 0.03, 350, {"christmas": 0.2, "easter": 0.15}, uplift=0.18, noise=0.04,
    ),
    "pets": DepartmentProfile(
        "home", 8000, 0.05, 0.02, 20, {"christmas": 0.1}, uplift=0.24, noise=0.05,
    ),
    "baby": DepartmentProfile(
        "health", 7000, -0.03, 0.02, 200, {"black_friday": 0.15}, uplift=0.34, noise=0.06,
    ),
    "sports": DepartmentProfile(
        "general", 6000, 0.02, 0.28, 160,
        {"christmas": 0.6, "black_friday": 0.4}, uplift=0.32, noise=0.08, returns=0.0008,
    ),
    "books": DepartmentProfile(
        "general", 3000, -0.05, 0.05, 330,
        {"christmas": 0.8, "back_to_school": 0.3}, uplift=0.22, noise=0.1, returns=0.001,
    ),
    "automotive": DepartmentProfile(
        "general", 5500, 0.01, 0.1, 170, {"black_friday": 0.2}, uplift=0.26, noise=0.08,
    ),
    "hardware": DepartmentProfile(
        "home", 7000, 0.02, 0.3, 160,
        {"fathers_day": 0.35, "black_friday": 0.3}, uplift=0.28, noise=0.07,
    ),
    "home_decor": DepartmentProfile(
        "home", 6500, 0.0, 0.08, 310,
        {"christmas": 0.65, "halloween": 0.3, "easter": 0.12, "new_year_slump": -0.2},
        uplift=0.36, noise=0.08, returns=0.0008,
    ),
    "shoes": DepartmentProfile(
        "fashion", 5500, 0.0, 0.15, 270,
        {"back_to_school": 0.45, "black_friday": 0.45, "christmas": 0.3}, uplift=0.36, noise=0.09,
        returns=0.001,
    ),
}  # fmt: skip
# Response curves: (days before the event, height); linear between the points and none outside.
EVENT_SHAPES: dict[str, tuple[tuple[int, float], ...]] = {
    "super_bowl": ((5, 0.0), (1, 1.0), (0, 0.8), (-1, 0.0)),
    "valentines_day": ((8, 0.0), (1, 1.0), (0, 1.0), (-1, 0.0)),
    "easter": ((12, 0.0), (6, 0.6), (1, 1.0), (0, 0.1), (-1, 0.0)),
    "mothers_day": ((8, 0.0), (4, 0.6), (1, 1.0), (0, 0.8), (-1, 0.0)),
    "fathers_day": ((8, 0.0), (4, 0.6), (1, 1.0), (0, 0.8), (-1, 0.0)),
    "independence_day": ((7, 0.0), (3, 0.8), (1, 1.0), (0, 0.6), (-1, 0.0)),
    "back_to_school": ((40, 0.0), (12, 1.0), (-5, 0.9), (-30, 0.0)),
    "halloween": ((20, 0.0), (7, 0.6), (1, 1.0), (0, 0.9), (-1, 0.0)),
    "thanksgiving": ((9, 0.0), (4, 0.7), (1, 1.2), (0, 0.2), (-1, 0.0)),
    "black_friday": ((2, 0.0), (1, 0.2), (0, 1.3), (-1, 0.8), (-2, 0.5), (-4, 0.0)),
    "christmas": ((34, 0.0), (20, 0.35), (10, 0.75), (4, 1.1), (1, 1.0), (0, 0.0)),
    "after_christmas": ((0, 0.0), (-1, 1.0), (-6, 0.6), (-8, 0.0)),
    "new_year_slump": ((-6, 0.0), (-8, 1.0), (-22, 0.8), (-45, 0.0)),
}
