"""One IO manager per role a datastore can play; which datastore it is decides `stores/registry.py`.

Every materialization is stored under a name of its own, `<asset>__<run>`, and the name goes into
the materialization's metadata. A release pins names; nothing that could be pinned is overwritten.
"""

from marketing_platform.defs.io_managers.answers import AnswersIOManager, Prepared
from marketing_platform.defs.io_managers.documents import DocumentsIOManager, RawBatches
from marketing_platform.defs.io_managers.enriched import DocumentSets, EnrichedIOManager, latest_sets
from marketing_platform.defs.io_managers.graphs import GraphIOManager, KnowledgeGraph
from marketing_platform.defs.io_managers.reports import DOCUMENT, ReportIOManager
from marketing_platform.defs.io_managers.reuse import Kept, made_by_this_code, reusable
from marketing_platform.defs.io_managers.vectors import Collection, VectorsIOManager
from marketing_platform.defs.io_managers.versions import (
    NAME,
    latest_figure,
    latest_metadata,
    latest_name,
    version_name,
)
from marketing_platform.defs.io_managers.warehouse import Parts, WarehouseIOManager

__all__ = [
    "DOCUMENT",
    "NAME",
    "AnswersIOManager",
    "Collection",
    "DocumentSets",
    "DocumentsIOManager",
    "EnrichedIOManager",
    "GraphIOManager",
    "Kept",
    "KnowledgeGraph",
    "Parts",
    "Prepared",
    "RawBatches",
    "ReportIOManager",
    "VectorsIOManager",
    "WarehouseIOManager",
    "latest_figure",
    "latest_metadata",
    "latest_name",
    "latest_sets",
    "made_by_this_code",
    "reusable",
    "version_name",
]
