"""Takes landed objects to judged batches: `landing.py` finds and keeps them, `validation.py` judges.

How bytes become rows is the business of `sources/`, which rules hold is that of `gates/`.
"""
