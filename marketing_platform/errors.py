"""The errors people meet. Each says what happened, where, and what to do.

MarketingPlatformError
├── SourceError          a source declaration is wrong (file, line, key)
├── ExpectationError     a suite under expectations/ is wrong
├── UnknownBatch         no batch of that name
├── UnknownRelease       no release of that name, or it has been collected
├── ReleaseRefused       the release's requirements do not hold; nothing was published
├── ReleaseConflict      somebody else moved the pointer first; nothing was published
├── UnknownName          a store has nothing complete under that name
├── EncoderUnavailable   the language model's files are not installed
├── StoreUnavailable     a datastore does not answer
└── StoreBusy            another process holds a store that only one may write
"""

from __future__ import annotations


class MarketingPlatformError(Exception):
    """Base of everything this package raises on purpose."""


class SourceError(MarketingPlatformError):
    """A source declaration is wrong; the message starts with `file:line: key`."""


class ExpectationError(MarketingPlatformError):
    """A suite under expectations/ is wrong."""


class UnknownBatch(MarketingPlatformError):
    """No batch of that name."""


class UnknownRelease(MarketingPlatformError):
    """No release of that name, or it has been collected."""


class ReleaseRefused(MarketingPlatformError):
    """The release's requirements do not hold; nothing was published."""


class ReleaseConflict(MarketingPlatformError):
    """Somebody else moved the pointer first; nothing was published."""


class UnknownName(MarketingPlatformError):
    """A store has nothing complete under that name."""


class EncoderUnavailable(MarketingPlatformError):
    """The language model's files are not installed."""


class StoreUnavailable(MarketingPlatformError):
    """A datastore does not answer."""


class StoreBusy(MarketingPlatformError):
    """Another process holds a store that only one may write."""
