"""Fortnox's feed: one listener for all companies keeps what it tells, and a dispatcher acts on it.

A hint says that something is worth a look, and is never the data. Polls stay the truth: where the feed is off, down or
refused, or loses an event, everything goes on by polling.
"""
