"""Fortnox, the target: client, errors and their explanations, OAuth, the rate limit, what is sent and read.

Nothing here retries, sleeps or stores; the type of an error says what happens next (`fortnox.errors`).
"""
