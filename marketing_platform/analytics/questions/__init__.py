"""Questions in plain English: a text becomes an intent over the KPIs, and the intent an answer that can be checked.

The way of a question: `text` (tokens), `dates` and `names` (what stretches of it mean), `lexing` (one meaning
each), `reading` (the part each plays), `parsing` (an `intent`, checked by `checking`). What cannot be placed is
refused. Figures are worked out by `analytics/kpis`.
"""
