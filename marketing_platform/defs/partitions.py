"""A batch is a partition: one version of one landed object."""

import dagster as dg

BATCHES = dg.DynamicPartitionsDefinition(name="batches")
