"""Projects: each change in Moment is written to Fortnox."""

from delivery.context import TransferContext
from delivery.snapshots import project_identity, transfer_snapshot
from mappers import to_project
from ordering import Outcome
from tasks.base import transfer_task
from tasks.flows import PROJECT


@transfer_task(PROJECT.task)
def transfer_project(context: TransferContext) -> Outcome:
    """Create or update the project: one request if something changed, else none."""
    if off := context.switched_off():
        return off
    return transfer_snapshot(context, context.fortnox.projects, to_project(context.event.project), project_identity)
