"""LATENCY: the events that took longer than latency-monitor-threshold, and histograms of all commands."""

import time
from collections.abc import Iterable
from itertools import accumulate

from minikv_core.registry import by_name, specs

from minikv.help_text import help_lines
from minikv.latency import LatencyEvent
from minikv.registry import (
    ADMIN,
    LOADING,
    NOSCRIPT,
    STALE,
    CommandSpec,
    ReplyError,
    Session,
    Simple,
    Verbatim,
    command,
    define,
)

FLAGS = ADMIN | NOSCRIPT | LOADING | STALE
TIPS = ("nondeterministic_output", "request_policy:all_nodes", "response_policy:special")
GRAPH_COLUMNS = 80
GRAPH_ROWS = 4
GRAPH_MARKS = "_o#"  # a third of a row, two thirds, a whole one

define(
    "LATENCY", None, arity=-2, flags=0, group="server", since="2.8.13", cost="that of the subcommand",
    summary="Find out what made the server slow.",
)  # fmt: skip


# ---------------------------------------------------------------- events


@command(
    "LATENCY LATEST", arity=2, flags=FLAGS, group="server", since="2.8.13", cost="O(1)", tips=TIPS,
    summary="Show each event's newest spike and its worst.",
)  # fmt: skip
def latency_latest(session: Session) -> list[list[object]]:
    events = session.server.latency.events
    return [[name, *event.samples[-1], event.most] for name, event in events.items()]


@command(
    "LATENCY HISTORY", arity=3, flags=FLAGS, group="server", since="2.8.13", cost="O(1)", tips=TIPS,
    summary="Show the spikes of an event.", args="event",
)  # fmt: skip
def latency_history(session: Session, name: bytes) -> list[tuple[int, int]]:
    event = find(session, name)
    return list(event.samples) if event else []


@command(
    "LATENCY RESET", arity=-2, flags=FLAGS, group="server", since="2.8.13", cost="O(1)",
    tips=("request_policy:all_nodes", "response_policy:agg_sum"),
    summary="Forget the spikes of some events, or of all.", args="[event ...]",
)  # fmt: skip
def latency_reset(session: Session, *names: bytes) -> int:
    latency = session.server.latency
    count: int = latency.reset(map(text, names) if names else list(latency.events))
    return count


def find(session: Session, name: bytes) -> LatencyEvent | None:
    event: LatencyEvent | None = session.server.latency.events.get(text(name))
    return event


def text(word: bytes) -> str:
    return word.decode("utf-8", "surrogateescape")


# ---------------------------------------------------------------- graph


@command(
    "LATENCY GRAPH", arity=3, flags=FLAGS, group="server", since="2.8.13", cost="O(1)", tips=TIPS,
    summary="Draw the spikes of an event.", args="event",
)  # fmt: skip
def latency_graph(session: Session, name: bytes) -> Verbatim:
    event = find(session, name)
    if event is None:
        raise ReplyError(f"ERR No samples available for event '{text(name)}'")
    values = [ms for _, ms in event.samples]
    now = int(time.time())
    labels = [age_label(now - moment) for moment, _ in event.samples]
    low, high = min(values), max(values)
    blocks = [
        graph_block(values[at : at + GRAPH_COLUMNS], labels[at : at + GRAPH_COLUMNS], low, max(high - low, 1))
        for at in range(0, len(values), GRAPH_COLUMNS)
    ]
    head = f"{text(name)} - high {high} ms, low {low} ms (all time high {event.most} ms)\n"
    return Verbatim(head + "-" * GRAPH_COLUMNS + "\n" + "\n".join(blocks))


def age_label(seconds: int) -> str:
    """How long ago, in one unit."""
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def graph_block(values: list[int], labels: list[str], low: int, span: int) -> str:
    """Bars above labels that are written downwards, an empty line between them."""
    steps = len(GRAPH_MARKS) * GRAPH_ROWS
    heights = [min((value - low) * steps // span, steps - 1) for value in values]
    rows = []
    for row in range(GRAPH_ROWS - 1, -1, -1):
        base = row * len(GRAPH_MARKS)
        rows.append("".join(mark(height - base) for height in heights))
    rows.append(" " * len(values))
    longest = max(map(len, labels))
    rows += ["".join(label[i : i + 1] or " " for label in labels) for i in range(longest)]
    return "".join(f"{row}\n" for row in rows)


def mark(height: int) -> str:
    """What a bar shows in a row, `height` steps above the row's foot."""
    if height < 0:
        return " "
    return GRAPH_MARKS[height] if height < len(GRAPH_MARKS) else "|"


# ---------------------------------------------------------------- report


@command(
    "LATENCY DOCTOR", arity=2, flags=FLAGS, group="server", since="2.8.13", cost="O(1)", tips=TIPS,
    summary="Explain the spikes.",
)  # fmt: skip
def latency_doctor(session: Session) -> Verbatim:
    settings = session.server.settings
    events = session.server.latency.events
    threshold = settings["latency-monitor-threshold"]
    if not threshold and not events:
        return Verbatim(
            "Latency monitoring is off. CONFIG SET latency-monitor-threshold <milliseconds> turns it on.\n"
        )
    if not events:
        return Verbatim(f"No event has taken {threshold} ms or more.\n")
    lines = ["Spikes:"]
    lines += [f"- {name}: {describe(event)}" for name, event in events.items()]
    lines += ["Advice:", *(f"- {line}" for line in advice(events, settings))]
    return Verbatim("".join(f"{line}\n" for line in lines))


def describe(event: LatencyEvent) -> str:
    values = [ms for _, ms in event.samples]
    count = len(values)
    mean = sum(values) / count
    deviation = sum(abs(value - mean) for value in values) / count
    period = (event.samples[-1][0] - event.samples[0][0]) / max(count - 1, 1)
    return (
        f"{count} spike{'s' if count > 1 else ''}, {mean:.0f} ms on average "
        f"(mean deviation {deviation:.0f} ms), {period:.1f} s apart, worst ever {event.most} ms"
    )


def advice(events: Iterable[str], settings: dict[str, int]) -> list[str]:
    """What may help against these events."""
    found = []
    if "command" in events:
        slower_than, threshold = settings["slowlog-log-slower-than"], settings["latency-monitor-threshold"]
        if not 0 <= slower_than <= threshold * 1000:
            found.append(
                "The slow log misses some of these commands: "
                f"CONFIG SET slowlog-log-slower-than {threshold * 1000}."
            )
        found.append("SLOWLOG GET names the commands that took long; ask for less at a time where it does.")
    if "fast-command" in events:
        found.append(
            "Even cheap commands were slow: the machine may be short of processor time or memory "
            "(other processes, swapping, a virtual machine that is held back)."
        )
    if "expire-cycle" in events:
        found.append("Many keys expire at the same time, or large ones do: spread their expiries.")
    if "eviction-cycle" in events:
        found.append("Eviction cannot keep up: raise maxmemory, or write less at a time.")
    return found


# ---------------------------------------------------------------- histograms


@command(
    "LATENCY HISTOGRAM", arity=-2, flags=FLAGS, group="server", since="7.0.0", tips=TIPS,
    cost="O(N) for N commands", args="[command ...]",
    summary="Show how many calls of each command took how long.",
)  # fmt: skip
def latency_histogram(session: Session, *names: bytes) -> dict[str, dict[str, object]]:
    counts = {id: row[4] for id, row in session.engine.command_stats().items() if any(row[4])}
    wanted = with_subcommands(names) if names else specs
    return {spec.name: histogram(counts[spec.id]) for spec in wanted if spec.id in counts}


def with_subcommands(names: Iterable[bytes]) -> list[CommandSpec]:
    """The commands of these names; of containers, their subcommands too. Unknown names are passed over."""
    found: list[CommandSpec] = []
    for name in names:
        spec = by_name.get(text(name).lower())
        if spec is not None:
            found += [spec, *spec.subcommands.values()]
    return found


def histogram(counts: list[int]) -> dict[str, object]:
    """Calls that took less than so many microseconds, where that number grows."""
    sums = list(accumulate(counts))
    steps = {1 << i: total for i, total in enumerate(sums) if counts[i]}
    return {"calls": sums[-1], "histogram_usec": steps}


@command(
    "LATENCY HELP", arity=2, flags=LOADING | STALE, group="server", since="2.8.13", cost="O(1)",
    summary="Explain the subcommands.",
)  # fmt: skip
def latency_help(session: Session) -> list[Simple]:
    return help_lines(HELP)


HELP = """
LATENCY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:
DOCTOR
    Explain the spikes.
GRAPH <event>
    Draw the spikes of <event>.
HISTOGRAM [<command> ...]
    Show how many calls of these commands (default: all) took how long.
HISTORY <event>
    Show the spikes of <event>.
LATEST
    Show each event's newest spike and its worst.
RESET [<event> ...]
    Forget the spikes of these events (default: all).
HELP
    Show this text.
"""
