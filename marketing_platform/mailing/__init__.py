"""Sends e-mails to segments: who may get one, once each, through the transport that is set.

What an e-mail says is `content/email/`, what is remembered of it `releases/mail.py`; no Dagster here and no
FastAPI. Why so: docs/decisions/0028-emails.md.
"""
