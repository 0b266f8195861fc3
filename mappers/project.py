"""From Moment's project to Fortnox's. Pure. No I/O."""

from datetime import date
from typing import Final, Literal
from zoneinfo import ZoneInfo

from fortnox.payloads import ProjectPayload
from mappers.errors import BadDates
from mappers.mapped import Mapped, Notice, given, sent
from mappers.numbers import project_number
from mappers.text import fitted
from messages import Message
from moment.events import Project

SWEDEN = ZoneInfo("Europe/Stockholm")
STATUS: Final[dict[str, Literal["NOTSTARTED", "ONGOING", "COMPLETED"]]] = {
    "notStarted": "NOTSTARTED",
    "inProgress": "ONGOING",
    "completed": "COMPLETED",
    "closed": "COMPLETED",
}


def to_project(project: Project) -> Mapped[ProjectPayload]:
    """Return the project's payload. Raises `BadNumber` and `BadDates`."""
    number = project_number("project.projectNumber", project.project_number)
    description = fitted(project.name, 50)
    notices: tuple[Notice, ...] = ()
    if not description:
        notices = (Notice("project.name", project.name, Message("project.name-unusable", name=project.name)),)
    fields = {
        "project_number": number,
        "description": description or number,
        "start_date": _start_date(project),
        "end_date": given(project, "end_date"),
        "status": STATUS[project.project_state],
    }
    return Mapped(ProjectPayload(**sent(fields)), notices)


def _start_date(project: Project) -> date:
    """Return Moment's start date, or else the day in Sweden on which the project was created."""
    start = project.start_date or project.created_date.astimezone(SWEDEN).date()
    if project.end_date is not None and project.end_date < start:
        problem = (
            Message("project.ends-before-start", start=start)
            if project.start_date
            else Message("project.ends-before-created", start=start)
        )
        remedy = Message("project.ends-before-start.remedy")
        raise BadDates("project.endDate", project.end_date.isoformat(), problem, remedy)
    return start
