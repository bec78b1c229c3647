"""Questions in plain English about the KPIs of a release."""
