"""A/B tests: who gets which variant, who was exposed to it, and what that changed.

Declarations are in `experiments/*.yaml` (`spec`, `loading`), the hash in `bucketing`, who is in which arm in
`assigning`. Landing of exposures is not done here, nor is serving.
"""

from marketing_platform.experiments.assigning import Assignment, Experiments
from marketing_platform.experiments.loading import load_experiments
from marketing_platform.experiments.spec import Experiment, Surface

__all__ = ["Assignment", "Experiment", "Experiments", "Surface", "load_experiments"]
