"""Everything that imports dagster: assets, checks, IO managers, resources, sensors, schedules.

Functions here are thin. What they compute is decided in the packages beside this one.
"""

import warnings

import dagster as dg

# What is beta in Dagster is used knowingly: the version is pinned, and the tests hold it to it.
for _category in (dg.BetaWarning, dg.PreviewWarning):
    warnings.filterwarnings("ignore", category=_category)
