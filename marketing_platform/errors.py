"""The errors people meet. Each says what happened, where, and what to do.

MarketingPlatformError
├── SourceError          a source declaration is wrong (file, line, key)
├── ExpectationError     a suite under expectations/ is wrong
├── RuleError            a rule about recommendations is wrong (file, line, key)
├── FeatureError         a declared feature is wrong (file, line, key)
├── ExperimentError      an experiment is declared wrongly (file, line, key)
├── SegmentError         a declared segment is wrong (file, line, key)
├── AutomationError      a webhook is declared wrongly, or its secret is (file, line, key, or the variable)
├── EmailError           a template, `sending.yaml` or `campaigns.yaml` is wrong (file, line, key)
├── InputError           a file or value that somebody gave cannot be used (file, row, field)
├── UnknownBatch         no batch of that name
├── UnknownRelease       no release of that name, or it has been collected
├── UnknownKey           no API key of that id, or it has ended
├── UnknownSuppression   no suppression of that id
├── UnknownErasure       no erasure of that id
├── UnknownTemplate      no e-mail template of that name
├── ReleaseTooOld        the release was made too long ago to send e-mails from it
├── MailUnavailable      what sends e-mails does not answer, or takes none of us
├── ReleaseRefused       the release's requirements do not hold; nothing was published
├── ReleaseConflict      somebody else moved the pointer first; nothing was published
├── UnknownName          a store has nothing complete under that name
├── AlreadyThere         an object of that name has landed before
├── ChangedWhileRead     an object was replaced or removed before it could be kept
├── StreamBroken         a stream does not go on where what landed from it ends
├── EncoderUnavailable   the language model is not installed, or its provider does not do what is asked
├── ComputeUnavailable   Spark is not installed, cannot be started or reached, or a job of it failed
├── StoreUnavailable     a datastore does not answer
├── CostRefused          a query would read more than may be billed; nothing was read
├── StoreFull            no space is left where the embedded stores write
└── StoreBusy            another process holds a store that only one may write
"""

from __future__ import annotations


class MarketingPlatformError(Exception):
    """Base of everything this package raises on purpose."""


class SourceError(MarketingPlatformError):
    """A source declaration is wrong; the message starts with `file:line: key`."""


class ExpectationError(MarketingPlatformError):
    """A suite under expectations/ is wrong."""


class RuleError(MarketingPlatformError):
    """A rule about recommendations is wrong; the message starts with `file:line: key`."""


class FeatureError(MarketingPlatformError):
    """A declared feature is wrong; the message starts with `file:line: key`."""


class ExperimentError(MarketingPlatformError):
    """An experiment is declared wrongly; the message starts with `file:line: key`."""


class SegmentError(MarketingPlatformError):
    """A declared segment is wrong; the message starts with `file:line: key`."""


class BoardError(MarketingPlatformError):
    """Something about vision boards is declared wrongly; the message starts with `file:line: key`."""


class AutomationError(MarketingPlatformError):
    """A webhook is declared wrongly (the message starts with `file:line: key`), or its secret is."""


class EmailError(MarketingPlatformError):
    """What is declared about e-mails is wrong; the message starts with `file:line: key`."""


class KpiError(MarketingPlatformError):
    """A KPI is declared wrongly, or asked for in a way that has no answer."""


class InputError(MarketingPlatformError):
    """A file or value that somebody gave cannot be used; the message says which and why."""


class UnknownBatch(MarketingPlatformError):
    """No batch of that name."""


class UnknownRelease(MarketingPlatformError):
    """No release of that name, or it has been collected."""


class UnknownKey(MarketingPlatformError):
    """No API key of that id, or it has ended."""


class UnknownSuppression(MarketingPlatformError):
    """No suppression of that id."""


class UnknownErasure(MarketingPlatformError):
    """No erasure of that id."""


class UnknownTemplate(MarketingPlatformError):
    """No e-mail template of that name."""


class ReleaseTooOld(MarketingPlatformError):
    """The release was made too long ago to send e-mails from it; nothing was sent."""


class MailUnavailable(MarketingPlatformError):
    """What sends e-mails does not answer, or takes none of us; the next attempt goes on from there."""


class ReleaseRefused(MarketingPlatformError):
    """The release's requirements do not hold; nothing was published."""


class ReleaseConflict(MarketingPlatformError):
    """Somebody else moved the pointer first; nothing was published."""


class UnknownName(MarketingPlatformError):
    """A store has nothing complete under that name."""


class AlreadyThere(MarketingPlatformError):
    """An object of that name has landed before; nothing was written."""


class ChangedWhileRead(MarketingPlatformError):
    """An object was replaced or removed before it could be kept; the next look takes what is there."""


class StreamBroken(MarketingPlatformError):
    """A stream does not go on where what landed from it ends; nothing more of it was landed."""


class EncoderUnavailable(MarketingPlatformError):
    """The language model is not installed, or its provider does not do what is asked."""


class ComputeUnavailable(MarketingPlatformError):
    """Spark is not installed, cannot be started or reached, or a job of it failed; nothing was stored."""


class StoreUnavailable(MarketingPlatformError):
    """A datastore does not answer."""


class CostRefused(MarketingPlatformError):
    """A query would read more bytes than may be billed; nothing was read, stored or billed."""


class StoreFull(MarketingPlatformError):
    """No space is left where the embedded stores write; nothing half-written is visible."""


class StoreBusy(MarketingPlatformError):
    """Another process holds a store that only one may write."""
