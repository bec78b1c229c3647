"""Whole files of declared sources, landed as if somebody had put them into the landing zone."""
