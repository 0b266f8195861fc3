"""States in words for people."""

from cli.console import clock_time
from operations.states import State

WORDS = {
    "none": "not connected",
    "paused": "paused: the grant ended",
    "unavailable": "Fortnox does not answer",
    "capacity": "waiting for capacity",
}
GOES_ON = {
    "paused": "it goes on when the company is connected again",
    "capacity": "it goes on when another transfer of the company ends",
}


def in_words(state: State) -> str:
    """`resting until 14:05`, with the day where it is another one."""
    words = WORDS.get(state.name, state.name)
    if state.until:
        words += f"{' until' if state.name == 'resting' else ', again at'} {clock_time(state.until)}"
    return f"{words}, waits for {state.behind}" if state.behind else words


def when_it_goes_on(state: State) -> str:
    """What keeps an event from starting, and when it goes on; "" where nothing keeps it."""
    if state.name in GOES_ON:
        return f"{in_words(state)}; {GOES_ON[state.name]}"
    return in_words(state) if state.until or state.behind or state.name == "unavailable" else ""
