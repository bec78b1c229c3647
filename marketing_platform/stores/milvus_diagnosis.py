"""Whether Milvus answers; what its user may do shows at the first write."""

from __future__ import annotations

import grpc
from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

from marketing_platform.errors import StoreUnavailable
from marketing_platform.stores.diagnosis import Found, timed
from marketing_platform.stores.milvus_settings import MilvusSettings


def diagnose(settings: MilvusSettings) -> Found:
    """Connect and see the version; StoreUnavailable when there is no way in."""
    try:
        client = MilvusClient(**settings.connection(), dedicated=True)
        try:
            version = str(client.get_server_version(timeout=settings.read_seconds))
            _, milliseconds = timed(lambda: client.list_collections(timeout=settings.read_seconds))
        finally:
            client.close()
    except (MilvusException, grpc.RpcError) as error:
        # gRPC tells its log what it thinks of a certificate, and its caller only that there is no connection.
        hint = (
            ", or the certificate: not trusted, expired or of another name (TLS is on)"
            if settings.tls
            else ""
        )
        said = getattr(error, "message", None) or error
        raise StoreUnavailable(
            f"{settings.where} does not answer: {said}; start it, or correct MARKETING_MILVUS_…{hint}"
        ) from error
    return Found(version, milliseconds)
