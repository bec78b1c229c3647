"""Features: what models are told about users, campaigns and products, declared once.

Declarations are in `features/*.yaml` (`spec`, `loading`). `queries` makes one query of them, which
values now, training sets of any moment (`training`) and answers of the API (`answers`) share, so that
they cannot differ. How vectors of texts come about belongs to `encoders`, recommending to `recommenders`.

Nothing is imported here: the API reads `answers`, and needs none of what computes them.
"""
