"""A few thousand simulated worlds, and the proof that the simulation would notice if a promise were broken."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ordering.queries import LUA
from tests.simulation.__main__ import main
from tests.simulation.mutants import MUTANTS, Mutant
from tests.simulation.runner import RESTARTED, Simulation, simulate_in_parallel
from tests.simulation.variants import Patch, PatchDoesNotFit, write_variant

pytestmark = pytest.mark.proof

SEEDS = 1_500
CAUGHT_WITHIN = 1_000


@pytest.fixture(scope="module")
def simulation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulation]:
    with Simulation(tmp_path_factory.mktemp("simulation")) as running:
        yield running


def test_no_promise_is_broken_in_many_worlds() -> None:
    ran = list(simulate_in_parallel(0, SEEDS))
    assert sum(part.seeds for part in ran) == SEEDS
    broken = [str(one) for part in ran for one in part.broken]
    assert not broken, "\n\n".join(broken[:3])


def test_restarts_of_redis_break_no_promise(simulation: Simulation) -> None:
    for seed in range(RESTARTED - 1, 4 * RESTARTED, RESTARTED):
        world, broken = simulation.run(seed, steps=60, remembered=None)
        assert not broken, str(broken)
        if "Redis is killed and started again" in world.history:
            return
    pytest.fail("no world restarted Redis")


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.promise}-{mutant.name.replace(' ', '-')}")
def test_a_broken_engine_is_caught(mutant: Mutant, tmp_path: Path) -> None:
    with Simulation(tmp_path, mutant.patches) as simulation:
        caught = any(simulation.run(seed)[1] for seed in range(CAUGHT_WITHIN))
    assert caught, f"{CAUGHT_WITHIN} seeds did not notice that {mutant.name}"


def test_every_promise_has_a_variant_that_breaks_it() -> None:
    promises = {int(n) for n in re.findall(r"^(\d)\. ", Path(LUA.parent, "__init__.py").read_text(), re.MULTILINE)}
    assert {mutant.promise for mutant in MUTANTS} == promises - {7}  # cost is for the bench to show


def test_a_patch_whose_text_is_gone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PatchDoesNotFit, match="no longer there"):
        write_variant(tmp_path / "scripts", [Patch("claim.lua", "what is no longer there", "")])


def test_a_seed_gives_the_same_run_again(simulation: Simulation) -> None:
    for seed in range(20):
        first, _ = simulation.run(seed, remembered=None)
        second, _ = simulation.run(seed, remembered=None)
        assert list(first.history) == list(second.history)


def test_clocks_of_workers_that_are_wrong_change_nothing(simulation: Simulation) -> None:
    for seed in range(20):
        right, _ = simulation.run(seed, skewed=False, remembered=None)
        wrong, _ = simulation.run(seed, skewed=True, remembered=None)
        assert list(right.history) == list(wrong.history)


def test_a_seed_is_replayed_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seed", "3"]) == 0
    said = capsys.readouterr().out
    assert "claims" in said
    assert "seed 3" in said
    assert "no violation" in said
