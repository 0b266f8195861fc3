"""Keeps events out of monitors: what producers send along as a text of the arguments is not passed on.

A name, an address or an authorization code would else be in Flower and in every log of a failure.
"""

from typing import Any

from celery.worker.request import Request

SHOWN = "(an event)"


class Unshown(Request):
    """A request whose arguments are shown as `(an event)`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._argsrepr, self._kwargsrepr = SHOWN, ""
        self.request_dict.update(argsrepr=SHOWN, kwargsrepr="")
