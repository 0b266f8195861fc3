"""Fortnox, the target: client, OAuth, rate limit, payloads, models, errors and their explanations.

Nothing here retries, sleeps or stores. The type of an error says what happens next (`fortnox.errors`).
"""
