"""Features: what models are told about users, campaigns and products, declared once.

Declarations are in `features/*.yaml` (`spec`, `loading`). `queries` makes one query of them, which
values now, training sets of any moment (`training`) and answers of the API (`answers`) share, so that
they cannot differ. How vectors of texts come about belongs to `encoders`, recommending to `recommenders`.
"""

from marketing_platform.features.loading import load_features
from marketing_platform.features.spec import ENTITIES, Entity, Feature, Features
from marketing_platform.features.training import training_set

__all__ = ["ENTITIES", "Entity", "Feature", "Features", "load_features", "training_set"]
