"""KPIs of a release: values by dimension and period, compared and ranked."""
