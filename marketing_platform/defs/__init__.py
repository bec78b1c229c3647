"""Everything that imports dagster: assets, checks, IO managers, resources, sensors, schedules.

Functions here are thin. What they compute is decided in the packages beside this one.
"""
