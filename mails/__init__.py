"""Mails to people: what failed, why, what to do, and what happens automatically; in Swedish or English.

    the engine's unreported events → topics (by cause) → dispatcher → mailer → writer → render → SMTP

`docs/mails.md` says which mail is sent when.
"""
