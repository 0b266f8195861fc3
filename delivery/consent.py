"""Which permissions a company is asked for in Fortnox, and what it lacks without those it has not given. Pure."""

from collections.abc import Collection, Iterable, Iterator

from messages import Message
from moment.events import Integration
from stores.connections import Connection, ConnectionProblem
from tasks.flows import FLOWS, POLLED


def chosen_kinds(integration: Integration) -> frozenset[str]:
    """What the company chose to transfer: `invoices`, `expenses` and so on."""
    kinds = {kind for kind, wanted in integration.transfers if wanted}
    return frozenset(kinds | {flow.choice for flow in POLLED if getattr(integration, flow.choice).enabled})


def scopes_for(integration: Integration, extra: Iterable[str] = ()) -> tuple[str, ...]:
    """The scopes that consent is asked for, with the operator's `extra` ones.

    Those with a choice of their own only where the company made it.
    """
    kinds = chosen_kinds(integration)
    needed = (one.name for flow in FLOWS for one in flow.scopes if not one.choice or one.choice in kinds)
    return tuple(dict.fromkeys((*needed, *extra)))


def scope_problems(integration: Integration, granted: Collection[str]) -> Iterator[ConnectionProblem]:
    """Each scope that the choices need and the grant lacks. None where Fortnox did not say what it granted."""
    kinds = chosen_kinds(integration)
    for flow in FLOWS:
        for scope in flow.scopes:
            needs = {scope.choice, flow.choice if scope.essential else ""} - {""}
            if granted and scope.name not in granted and needs <= kinds:
                yield ConnectionProblem(
                    what=Message(
                        "integration.scope-missing", scope=scope.name, use=Message(f"integration.use.{scope.name}")
                    ),
                    remedy=Message("integration.scope-missing.remedy"),
                    stops=(flow.choice,) if scope.essential else (),
                )


def problems_of(connection: Connection) -> tuple[ConnectionProblem, ...]:
    """What the check of the connection found, and what a newer version asks consent for that its grant lacks."""
    if connection.state != "connected":
        return connection.problems
    lacking = scope_problems(connection.integration, connection.scopes)
    return (*connection.problems, *(one for one in lacking if one not in connection.problems))
