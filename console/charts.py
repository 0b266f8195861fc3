"""Small charts as SVG, drawn here. Their styles are classes: the content security policy allows no other."""

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

from ordering.glance import Hour

WIDTH: Final = 4  # of an hour's bar
HEIGHT: Final = 24


def hours_chart(hours: Sequence[Hour]) -> Markup:
    """A bar for each hour: what was done, and on top of it what failed. Empty where nothing was."""
    most = max((hour.done + hour.failed for hour in hours), default=0)
    if not most:
        return Markup()
    bars = []
    for at, hour in enumerate(hours):
        failed, done = (_height(n, most) for n in (hour.failed, hour.done))
        bars += _bar("bar-done", at, HEIGHT - done, done) + _bar("bar-failed", at, HEIGHT - done - failed, failed)
    return Markup(
        f'<svg class="hours" viewBox="0 0 {WIDTH * len(hours)} {HEIGHT}" width="{WIDTH * len(hours)}" '
        f'height="{HEIGHT}" aria-hidden="true">{"".join(bars)}</svg>'
    )


def _height(n: int, most: int) -> int:
    return max(2, round(n * (HEIGHT - 2) / most)) if n else 0


def _bar(kind: str, at: int, y: int, height: int) -> list[str]:
    if not height:
        return []
    return [f'<rect class="{kind}" x="{at * WIDTH}" y="{max(y, 0)}" width="{WIDTH - 1}" height="{height}"/>']
