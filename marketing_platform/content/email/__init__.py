"""E-mails: declared templates, compiled once, filled with what a release knows of a person.

No network, no ledger and no FastAPI here: who gets what and when is `marketing_platform/mailing/`, previews
over the API are `serving/emails/`.
"""
