"""Runs seeds: one after another in a process, or many over processes that have a Redis each."""

import multiprocessing
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.simulation.actions import Mix
from tests.simulation.checks import Violation
from tests.simulation.model import Rules
from tests.simulation.server import Servers
from tests.simulation.variants import SMALL_BUDGET, Patch, write_variant
from tests.simulation.world import REMEMBERED, Engine, World, build_engine

RESTARTED: Final = 500  # every so manieth seed runs on a durable Redis that is killed now and then
CHUNK: Final = 25  # seeds that a process takes at a time
RULES: Final = (
    Rules(release_limit=1, crash_limit=2, lapse_limit=2),
    Rules(release_limit=2, breaker_threshold=1),
    Rules(release_limit=3, breaker_threshold=1),
    Rules(release_limit=8, breaker_threshold=2, crash_limit=2, lapse_limit=2),
)


@dataclass(frozen=True, slots=True)
class Broken:
    """A violation, with what led to it."""

    seed: int
    steps: int | None  # asked for; None: as many as the seed draws
    step: int
    what: str
    history: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"seed {self.seed}, step {self.step}: {self.what}", "", *(f"  {line}" for line in self.history), ""]
        steps = f" --steps {self.steps}" if self.steps else ""
        return "\n".join([*lines, f"Replay: python -m tests.simulation --seed {self.seed}{steps}"])


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of some seeds. `broken`: the violations, at most one a seed."""

    seeds: int
    steps: int
    broken: tuple[Broken, ...]


class Simulation:
    """The engines and servers of one process. With `patches`, of an engine that is broken on purpose."""

    def __init__(self, directory: Path, patches: Sequence[Patch] = ()) -> None:
        self._servers = Servers(directory)
        self._directory = directory
        self._patches = tuple(patches)
        self._engines: dict[tuple[bool, int], Engine] = {}

    def __enter__(self) -> "Simulation":
        self._servers.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._servers.__exit__(None, None, None)

    def run(
        self, seed: int, steps: int | None = None, *, skewed: bool = True, remembered: int | None = REMEMBERED
    ) -> tuple[World, Broken | None]:
        """One seed, from an empty Redis to an empty queue."""
        durable = seed % RESTARTED == RESTARTED - 1
        server = self._servers.server(durable=durable)
        world = World(seed, self._engine(seed, durable), server, skewed=skewed, remembered=remembered)
        mix = Mix(world, restarts=durable)
        try:
            mix.begin(world)
            world.run(steps or world.rng.randint(10, 60), mix.draw, structure=0.02)
        except Exception as error:  # noqa: BLE001 - the engine's own errors break a promise too
            what = str(error) if isinstance(error, Violation) else f"{type(error).__name__}: {error}"
            return world, Broken(seed, steps, world.steps, what, tuple(world.history)[-REMEMBERED:])
        return world, None

    def _engine(self, seed: int, durable: bool) -> Engine:
        """Every other seed runs with the budgets of one call so low that small worlds use them up."""
        which = seed % (2 * len(RULES))
        if (durable, which) not in self._engines:
            scripts = self._directory / f"scripts-{which % 2}"
            if not scripts.exists():
                write_variant(scripts, [*self._patches, *(SMALL_BUDGET if which % 2 else ())])
            wire = self._servers.server(durable=durable).wire
            self._engines[durable, which] = build_engine(wire, RULES[which // 2], scripts)
        return self._engines[durable, which]


def simulate_in_parallel(first: int, seeds: int, *, steps: int | None = None, processes: int = 2) -> Iterator[Ran]:
    """Runs seeds over processes; yields what came of a chunk of them as soon as it is known."""
    chunks = [(start, min(CHUNK, first + seeds - start), steps) for start in range(first, first + seeds, CHUNK)]
    context = multiprocessing.get_context("spawn")
    numbers = context.SimpleQueue()
    for number in range(processes):
        numbers.put(number)
    with (
        tempfile.TemporaryDirectory(prefix="simulation-") as directory,
        context.Pool(processes, _start, (directory, numbers)) as pool,
    ):
        yield from pool.imap_unordered(_run_chunk, chunks)
        pool.close()
        pool.join()


_process = ExitStack()
_simulation: Simulation | None = None


def _start(directory: str, numbers: "multiprocessing.SimpleQueue[int]") -> None:
    """In a process of the pool: its servers end with it."""
    global _simulation
    number = numbers.get()
    _stay_on_one_core(number)
    own = Path(directory) / str(number)
    own.mkdir()
    _simulation = _process.enter_context(Simulation(own))
    multiprocessing.util.Finalize(None, _process.close, exitpriority=10)


def _stay_on_one_core(number: int) -> None:
    """A process and its Redis take turns; handing over within one core takes a third off the time of a step."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[number % len(cores)]})


def _run_chunk(chunk: tuple[int, int, int | None]) -> Ran:
    first, seeds, steps = chunk
    if _simulation is None:
        raise RuntimeError("the process was not started")
    ran = [_simulation.run(seed, steps) for seed in range(first, first + seeds)]
    return Ran(seeds, sum(world.steps for world, _ in ran), tuple(broken for _, broken in ran if broken))
