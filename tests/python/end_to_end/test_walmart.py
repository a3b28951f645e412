"""The known result on real data: the seasonal naive on Walmart's sales."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.home import Home
from support.walmart import NO_WALMART, WALMART, has_walmart


@pytest.mark.skipif(not has_walmart(), reason=NO_WALMART)
def test_the_naive_on_walmart_scores_what_it_is_known_to_score(
    new_home: Callable[[str], Home],
) -> None:
    home = new_home("walmart")
    home.command("ingest", WALMART, "--mapping", "walmart")
    home.command("run", "--cutoff", "2012-07-27", "--model", "snaive_52")
    (row,) = home.marts(
        """
        select
            sum(n_rows),
            sum(sum_abs_error) / sum(sum_abs_actual),
            2 * sum(sum_pinball_loss_p10 + sum_pinball_loss_p50 + sum_pinball_loss_p90)
                / (3 * sum(sum_abs_actual))
        from shop_reports.rpt_forecast_accuracy
        where level = 'store-department' and model_id = 'snaive_52'
        """
    )
    assert row[0] == 38_508
    assert row[1] == pytest.approx(0.1070, abs=0.0005)
    assert row[2] <= 0.072
