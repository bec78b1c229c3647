"""The knowledge graph: what it consists of, how tables become it, what is asked of it.

`labels.yaml` and `relations.yaml` declare it once, `model.py` reads them, `projection.py` fills
node and relation sets from tables, `queries.py` holds the Cypher that API and explanations
use. Where a graph is stored is the business of `stores/`.
"""

from marketing_platform.graph.model import RECORD_ID, GraphModel, Label, Relation, graph_model
from marketing_platform.graph.projection import project_graph

__all__ = ["RECORD_ID", "GraphModel", "Label", "Relation", "graph_model", "project_graph"]
