"""The direct network on Walmart as `models.toml` sets it, through the product, at 3 cutoffs."""

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
    model="direct",
    windows={
        NEAR_CUTOFF: Window(NEAR_HORIZON, 1, 0.078, largest_wql_3=0.0505),
        FAR_CUTOFF: Window(FAR_HORIZON, FAR_LEAST_WEEKS, 0.0945, largest_wql_9=0.076),
        CHRISTMAS_CUTOFF: Window(CHRISTMAS_HORIZON, 1, 0.1035),
    },
    largest_seconds=60,
    fitting="training",
    tuning="The rules of the inputs and how often late cutoffs are drawn were chosen with these "
    "windows, 2012-04-27 (26 weeks) and 2011-08-26 (13 weeks) in view; what a run fits, it fits "
    "on weeks before its cutoff.",
)

if __name__ == "__main__":
    raise SystemExit(run_study(STUDY, __doc__))
