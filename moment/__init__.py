"""Moment, the source: the events it sends and its API."""

from moment.events import (
    Event,
    InvalidEvent,
    parse_event,
)

__all__ = ["Event", "InvalidEvent", "parse_event"]
