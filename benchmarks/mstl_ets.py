"""MSTL with ETS on Walmart as `models.toml` sets it, through the whole product, at 3 cutoffs."""

from __future__ import annotations

from accuracy import (
    CHRISTMAS_CUTOFF,
    CHRISTMAS_HORIZON,
    FAR_CUTOFF,
    FAR_HORIZON,
    FAR_LEAST_WEEKS,
    NEAR_CUTOFF,
    NEAR_HORIZON,
)
from windows import Study, Window, run_study

STUDY = Study(
    model="mstl_ets",
    windows={
        NEAR_CUTOFF: Window(NEAR_HORIZON, 1, 0.083),
        FAR_CUTOFF: Window(FAR_HORIZON, FAR_LEAST_WEEKS, 0.097),
        CHRISTMAS_CUTOFF: Window(CHRISTMAS_HORIZON, 1, 0.107),
    },
    largest_seconds=10,
    fitting="learning the widths",
    tuning="The grid of smoothing and the rule of the widths were chosen with these windows in "
    "view; what a run fits, it fits on weeks before its cutoff.",
)

if __name__ == "__main__":
    raise SystemExit(run_study(STUDY, __doc__))
