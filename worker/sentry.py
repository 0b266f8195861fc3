"""Sentry in the processes of Celery."""

from typing import Any

from sentry_sdk.crons import MonitorStatus, capture_checkin
from sentry_sdk.integrations.celery import CeleryIntegration

from config import Settings
from config.sentry import set_up_sentry

HEARTBEAT = "moment-fortnox-beat"  # the monitor's slug
HEARTBEAT_CONFIG: Any = {
    "schedule": {"type": "interval", "value": 1, "unit": "minute"},
    "checkin_margin": 3,  # minutes until a missing one is reported: another beat takes over within one
    "failure_issue_threshold": 1,
    "recovery_threshold": 1,
}


def set_up_celerys_sentry(settings: Settings) -> None:
    """Call once in a worker or in beat, before it forks others. Does nothing without a DSN."""
    set_up_sentry(settings, CeleryIntegration(propagate_traces=False))


def check_in() -> None:
    """Tell Sentry that beat and a worker are alive."""
    capture_checkin(monitor_slug=HEARTBEAT, status=MonitorStatus.OK, monitor_config=HEARTBEAT_CONFIG)
