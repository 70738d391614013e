"""The command line: python -m benchmarks."""

import argparse
import itertools
import signal
import sys
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import charts, generator, report, runner
from benchmarks.scenarios import SCENARIOS, Scale
from benchmarks.scenarios.base import QUICK
from minikv.compare import machine, peers

SERVER_NAMES = (peers.OURS, *peers.PEER_NAMES)
FULL_RESULTS = Path(__file__).parent / "results"
OTHER_RESULTS = Path("build", "benchmarks")
FILES_BESIDE_CONNECTIONS = 1000  # left for everything but the held connections


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    names = ",".join(scenario.name for scenario in SCENARIOS)
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Compare minikv with its peers."
    )
    parser.add_argument(
        "--quick", action="store_true", help="a small version of everything, for a first look"
    )
    parser.add_argument("--scenarios", default=names, metavar="A,B", help=f"some of {names}")
    parser.add_argument(
        "--servers", default=",".join(SERVER_NAMES), metavar="A,B", help="default: %(default)s"
    )
    parser.add_argument("--repeat", type=int, metavar="K", help="turns per case in scenarios that repeat")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help=f"default: benchmarks/results for a full run, else {OTHER_RESULTS}",
    )
    parser.add_argument("--list", action="store_true", help="list scenarios and servers, and measure nothing")
    options = parser.parse_args(arguments)
    options.scenarios = options.scenarios.split(",")
    options.servers = options.servers.split(",")
    for given, known in ((options.scenarios, names.split(",")), (options.servers, SERVER_NAMES)):
        for name in given:
            if name not in known:
                parser.error(f"{name!r} is none of {', '.join(known)}")
    if options.repeat is not None and options.repeat < 1:
        parser.error("--repeat must be at least 1")
    return options


def choose_scale(options: argparse.Namespace, file_limit: int) -> Scale:
    """The scale asked for, with no more connections than the limit on open files lets this process hold."""
    scale = QUICK if options.quick else Scale()
    most = file_limit - FILES_BESIDE_CONNECTIONS
    connections = tuple(count for count in scale.connections if count <= most)
    return replace(scale, connections=connections, repeats=options.repeat or scale.repeats)


def output_folder(options: argparse.Namespace) -> Path:
    if options.output:
        return Path(options.output)
    full = not options.quick and len(options.scenarios) == len(SCENARIOS) and peers.OURS in options.servers
    return FULL_RESULTS if full else OTHER_RESULTS


def main(arguments: list[str]) -> int:
    options = parse_arguments(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that servers are ended
    console = Console()
    found, missing = [], []
    for name in options.servers:
        peer = peers.find_peer(name)
        if isinstance(peer, peers.Peer):
            found.append(peer)
        else:
            missing.append(peer)
    scale = choose_scale(options, machine.raise_file_limit())
    scenarios = [scenario(scale) for scenario in SCENARIOS if scenario.name in options.scenarios]
    for peer in found:
        console.print(f"{peer.name} {peer.version}", highlight=False)
    for reason in missing:
        console.print(f"left out: {reason}", highlight=False, markup=False)
    if options.list:
        for scenario in scenarios:
            console.print(f"{scenario.name:12} {scenario.title}", highlight=False)
        return 0
    if not found:
        console.print("no server to measure")
        return 1

    facts = machine.facts(" ".join(["python -m benchmarks", *arguments]))
    facts["load generator"] = generator.version()
    columns = (TextColumn("{task.description:48}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # Drawn at each step only: a refreshing thread would share the load generator's core.
    with (
        machine.pinned(generator.CORE),
        Progress(*columns, console=console, auto_refresh=False) as bar,
    ):
        total = runner.count_steps(scenarios, found)
        task = bar.add_task("", total=total)
        started = itertools.count()

        def announce(text: str) -> None:
            bar.update(task, description=text, completed=next(started), refresh=True)
            if not console.is_terminal:
                console.print(text, highlight=False)

        results = runner.run(scenarios, found, announce)
        bar.update(task, description="done", completed=total, refresh=True)

    run = report.Run(facts, found, scenarios, results)
    folder = output_folder(options)
    report.write(run, folder, charts.draw(run, folder))
    report.print_run(console, run)
    console.print(f"figures, tables and charts: {folder}", highlight=False)
    return 1 if results.failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
