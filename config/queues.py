"""The names of the Celery queues. Pure data, without Celery."""

from typing import Final

EVENTS_QUEUE: Final = "events"  # what producers send
TRANSFERS_QUEUE: Final = "transfers"  # one message wakes one event's transfer
MAIL_QUEUE: Final = "mail"  # apart, so that a slow SMTP server never delays transfers
POLLS_QUEUE: Final = "polls"  # expense polls: long, and never urgent

DELIVERY_QUEUES: Final = (EVENTS_QUEUE, TRANSFERS_QUEUE)
BACKGROUND_QUEUES: Final = (MAIL_QUEUE, POLLS_QUEUE)
QUEUES: Final = DELIVERY_QUEUES + BACKGROUND_QUEUES
