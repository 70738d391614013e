"""The command line of `minikv compare`."""

import argparse
import signal
import sys
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from minikv.compare import machine, targets
from minikv.compare.scenarios import QUICK, SCENARIOS, Scale

EXTRA_MISSING = "minikv compare needs a few packages more ({name} is missing): pip install 'minikv[compare]'"
FOLDER = Path("minikv-compare")


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="minikv compare",
        description="Measure every I/O model over the same engine, and Redis and Valkey where found.",
    )
    parser.add_argument(
        "--list", action="store_true", help="explain models and scenarios, and measure nothing"
    )
    parser.add_argument("--models", metavar="A,B", help=f"some of {', '.join(targets.NAMES)}")
    parser.add_argument("--scenarios", metavar="A,B", help=f"some of {', '.join(SCENARIOS)}")
    parser.add_argument("--quick", action="store_true", help="under three minutes, for a first look")
    parser.add_argument(
        "--rounds", type=int, metavar="N", help="measure everything N times, and give medians"
    )
    parser.add_argument("--seconds", type=float, metavar="S", help="length of each measurement")
    parser.add_argument(
        "--output",
        type=Path,
        default=FOLDER,
        metavar="DIR",
        help="where the report goes (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    in_scale = [name for name, scenario in SCENARIOS.items() if scenario.in_quick or not options.quick]
    options.models = _choose(parser, options.models, targets.NAMES, targets.NAMES)
    options.scenarios = _choose(parser, options.scenarios, SCENARIOS, in_scale)
    if options.rounds is not None and options.rounds < 1:
        parser.error("--rounds must be at least 1")
    if options.seconds is not None and not 0 < options.seconds <= 600:
        parser.error("--seconds must be above 0, and 600 at most")
    return options


def _choose(
    parser: argparse.ArgumentParser, given: str | None, known: Collection[str], default: Sequence[str]
) -> list[str]:
    names = list(default) if given is None else [name.strip() for name in given.split(",")]
    for name in names:
        if name not in known:
            parser.error(f"{name!r} is none of {', '.join(known)}")
    return list(dict.fromkeys(names))


def choose_scale(options: argparse.Namespace) -> Scale:
    scale = QUICK if options.quick else Scale()
    if options.rounds:
        scale = replace(scale, rounds=options.rounds)
    if options.seconds:
        scale = replace(scale, window=options.seconds, paced=options.seconds)
    return scale


def list_all() -> None:
    width = max(map(len, (*targets.NAMES, *SCENARIOS))) + 2
    print("Models (--models):")
    for name in targets.NAMES:
        print(f"  {name:{width}}{targets.SUMMARIES[name]}")
    print("\nScenarios (--scenarios):")
    for name, scenario in SCENARIOS.items():
        print(f"  {name:{width}}{scenario.title}{'' if scenario.in_quick else ' (not in a quick run)'}")


def main(arguments: Sequence[str]) -> int:
    options = parse_arguments(arguments)
    if options.list:
        list_all()
        return 0
    try:
        from minikv.compare import report, runner, table  # with what the extra brings
    except ModuleNotFoundError as error:
        print(EXTRA_MISSING.format(name=error.name), file=sys.stderr)
        return 1
    try:
        options.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        print(f"minikv compare: {options.output}: {error.strerror}", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that servers are ended
    found, missing = targets.find_targets(options.models)
    for reason in missing:
        print(f"left out: {reason}", file=sys.stderr)
    if not found:
        print("there is nothing to measure", file=sys.stderr)
        return 1
    scale = choose_scale(options)
    facts = machine.facts(" ".join(["minikv compare", *arguments]))
    scenarios = [SCENARIOS[name] for name in options.scenarios]
    try:
        results = table.run_with_progress(scenarios, found, scale, machine.raise_file_limit())
    except KeyboardInterrupt:
        print("minikv compare: interrupted", file=sys.stderr)
        return 128 + signal.SIGINT
    run = runner.Run(facts, scenarios, found, scale, results)
    table.print_run(run)
    for path in report.write(run, options.output):
        print(path)
    return 0
