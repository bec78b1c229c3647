"""A/B tests: who gets which variant, who was exposed to it, and what that changed.

Declarations are in `experiments/*.yaml` (`spec`, `loading`), the hash in `bucketing`, who is in which arm in
`assigning`. Landing of exposures is not done here, nor is serving. Nothing is imported
here: the hash is light, and what declarations need is not.
"""
