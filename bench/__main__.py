"""`python -m bench`: runs the workloads, prints each table as it is done. Exit status 1 when a target is missed."""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from rich.console import Console

from bench.machine import machine
from bench.report import as_json, show, write_page
from bench.result import Section
from bench.rounds import Bench, say
from bench.workloads import ALONE, WORKLOADS


def main() -> int:
    wanted = arguments()
    bench = Bench(quick=wanted.quick, repeat=1 if wanted.quick else wanted.repeat)
    console = Console(width=None if sys.stdout.isatty() else 200)
    facts = machine()
    for name, fact in facts.items():
        console.print(f"{name}: {fact}", highlight=False)
    console.print()
    sections: list[Section] = []
    for key in wanted.only:
        say(f"workload {key}")
        for section in WORKLOADS[key](bench):
            show(section, console)
            sections.append(section)
    if wanted.json:
        wanted.json.write_text(as_json(sections, facts), encoding="utf-8")
    if wanted.write:
        write_page(sections, facts)
    targets = [target for section in sections for target in section.targets]
    missed = sum(not target.met for target in targets)
    console.print(f"{len(targets) - missed} of {len(targets)} targets met", highlight=False)
    return 1 if missed and not wanted.quick else 0


def arguments() -> Namespace:
    parser = ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="everything small and once: to see that it works")
    usual = [key for key in WORKLOADS if key not in ALONE]
    parser.add_argument("--only", type=_keys, default=usual, metavar="A,B", help=f"of {','.join(WORKLOADS)}")
    parser.add_argument("--repeat", type=int, default=3, help="runs of which the median is taken (3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE as well")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/performance.md as well")
    return parser.parse_args()


def _keys(text: str) -> list[str]:
    keys = [key.strip().upper() for key in text.split(",")]
    unknown = [key for key in keys if key not in WORKLOADS]
    if unknown:
        raise ValueError(f"no such workload: {', '.join(unknown)}")
    return keys


if __name__ == "__main__":
    sys.exit(main())
