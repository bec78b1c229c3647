"""What needs a server is collected only under `make test-servers`: nothing is skipped, there or elsewhere."""

from marketing_platform_tests.acceptance.conftest import models
from marketing_platform_tests.servers.shared import WITH_SERVERS

collect_ignore_glob = [] if WITH_SERVERS else ["test_*.py"]
__all__ = ["models"]
