"""Mails to the operator about what Redis lost (`stores.installation`)."""

from functools import partial

from mails.mailer import Mailer, OutgoingMail
from mails.recipients import OPERATOR
from mails.schedule import DueMail, to_ms
from stores.installation import Installation, Loss


class LossMails:
    def __init__(self, installation: Installation, mailer: Mailer) -> None:
        self._installation = installation
        self._mailer = mailer

    def due(self) -> list[DueMail]:
        """One for each loss."""
        return [
            DueMail(to_ms(loss.at), OPERATOR, partial(self._send, loss)) for loss in self._installation.losses_to_mail()
        ]

    def _send(self, loss: Loss) -> bool:
        thread = f"{OPERATOR}:lost:{loss.id}"
        self._mailer.send(OutgoingMail(OPERATOR, thread, 1, lambda writer: writer.lost_data(loss.message), "lost"))
        self._installation.mark_mailed(loss)
        return True
