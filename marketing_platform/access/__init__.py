"""Who may call the API: keys of our own, tokens of somebody else's, and what either permits.

Plain Python without HTTP: `keys` is what a key looks like, `register` is where keys are kept, `keyring`
verifies them from memory, `tokens` verifies JWTs with the keys of `token_keys`. How headers become a
`Principal`, and which answer a refusal gets, belongs to `serving/access/`.
"""

from marketing_platform.access.principals import Principal, Refusal, Refused, Scope

__all__ = ["Principal", "Refusal", "Refused", "Scope"]
