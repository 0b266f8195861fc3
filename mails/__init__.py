"""Mails to people: what failed, why, what to do, what happens by itself; in Swedish or English, as text and HTML.

    engine's unreported → desk (by cause; first at once, more once an hour) → letters (words) → render → SMTP

`docs/mails.md` says what is sent when.
"""
