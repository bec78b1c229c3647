"""Tests of the dashboard: against a real API on loopback, by AppTest and in a real browser."""
