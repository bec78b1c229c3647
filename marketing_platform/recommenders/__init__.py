"""From interactions to ranked, explained items.

Pure functions over arrays and Arrow tables: who is similar (`neighbours`), what to recommend
(`campaigns`), and how an answer looks (`answers`). Reading and writing stores is not done here.
"""
