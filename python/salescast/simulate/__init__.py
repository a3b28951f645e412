"""Deterministic demo data: a made-up retail chain in the canonical landing layout.

This is a demonstration, not evidence: every effect in the data was put there by its rules, so
accuracy measured on it says that the product works and nothing about real sales.
"""

from salescast.simulate.calendar import PLANNED_WEEKS
from salescast.simulate.command import DEFAULT_END, SimulationSummary, simulate
from salescast.simulate.event_dates import easter_sunday

__all__ = ["DEFAULT_END", "PLANNED_WEEKS", "SimulationSummary", "easter_sunday", "simulate"]
