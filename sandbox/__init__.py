"""Local stand-ins for Fortnox, Moment and an SMTP server: one process, state in memory, faults as knobs.

Imports nothing of the product. What it copies of the real systems, and what it had to choose, is in
`sandbox/README.md`.
"""
