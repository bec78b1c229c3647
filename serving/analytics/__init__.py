"""Figures of a release: engagement of users, performance of campaigns, activity by day."""
