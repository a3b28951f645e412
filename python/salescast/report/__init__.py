"""The report: one HTML file that shows the newest forecasts beside what was sold.

It reads the published marts file only, aggregates in SQL and writes a page that opens from disk
without a network.
"""

from salescast.report.write import write_report

__all__ = ["write_report"]
