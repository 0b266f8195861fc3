from decimal import Decimal

from messages import NOTHING, Message, Money
from stores import ConnectionProblem


def test_a_problem_is_stored_with_its_messages_and_read_as_it_was() -> None:
    problem = ConnectionProblem(
        what=Message("check.accounts-missing", accounts="3010, 3999", n=2, sum=Money(Decimal("1.50"), "SEK")),
        remedy=Message.join(Message("check.connect-again"), Message("check.ask-fortnox")),
        stops=("invoices",),
    )
    assert ConnectionProblem.model_validate_json(problem.model_dump_json()) == problem


def test_its_message_is_what_was_found_and_then_what_to_do() -> None:
    found, remedy = Message("check.cash-method"), Message("check.connect-again")
    assert ConnectionProblem(what=found, remedy=remedy).message == Message.join(found, remedy)
    assert ConnectionProblem(what=found, remedy=NOTHING).message == found
