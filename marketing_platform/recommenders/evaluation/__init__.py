"""How good recommenders are: splits that leak nothing, metrics, tuning, and the table that compares.

Recommenders themselves are in `families` and `hybrid`; who reads files and prints is `cli/evaluate.py`.
"""
