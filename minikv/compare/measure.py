"""One turn: a scenario on a fresh server."""

import time
from dataclasses import dataclass

from minikv_core.loadgen import LoadGenerator

from minikv.compare import machine, processes, syscalls, wire
from minikv.compare.errors import MeasurementError
from minikv.compare.results import Reading
from minikv.compare.scenarios import KEYS, SET, WORK, Scale, Scenario
from minikv.compare.server import RunningServer
from minikv.compare.targets import Target

OTHER_FILES = 200  # descriptors left for everything but connections
LEAST_MEMORY = 0.15  # share of the machine's that a server must leave to others
TRACE_DRAIN = 1.0  # seconds: a server is slow while its system calls are counted
TROUBLES = ("errors", "wrong", "lost", "refused", "overdue")


@dataclass
class Turn:
    """What one turn works with."""

    scenario: Scenario
    scale: Scale
    server: RunningServer
    load: LoadGenerator
    connections: int
    reading: Reading


def measure(scenario: Scenario, target: Target, scale: Scale, file_limit: int) -> Reading:
    """Take one turn; what the server fails to do is in the reading."""
    reading = Reading()
    connections = min(scenario.connections, file_limit - OTHER_FILES)
    if connections < scenario.connections:
        reading.notes.append(
            f"{connections:,} connections instead of {scenario.connections:,}: the limit on open files"
        )
    try:
        with RunningServer(
            target.name, target.command, target.options, start_limit=scale.start, stop_limit=scale.stop
        ) as server:
            wire.fill(server.port, SET, ((key, key) for key in range(KEYS)), scale.start)
            load = LoadGenerator(
                server.port,
                WORK[scenario.work],
                connections=connections,
                pipeline=scenario.pipeline,
                slow=scenario.slow,
                churn=scenario.churn,
                paced_ms=scenario.paced_ms,
                keys=KEYS,
            )
            turn = Turn(scenario, scale, server, load, connections, reading)
            try:
                _take(turn)
            finally:
                load.close()
            if not server.is_running():
                reading.failure = f"the server ended: {server.last_words()}"
    except (MeasurementError, OSError) as error:
        reading.failure = str(error)
    return reading


def _take(turn: Turn) -> None:
    reading, scale, scenario = turn.reading, turn.scale, turn.scenario
    memory = processes.proportional_bytes(turn.server.pid) if scenario.idle else 0
    opened = turn.load.connect(scale.connect, lambda: machine.available_memory() > LEAST_MEMORY)
    if machine.available_memory() <= LEAST_MEMORY:
        raise MeasurementError(f"the machine's memory ran low after {opened['standing']:,} connections")
    if scenario.idle:
        _rest(turn, memory, max(1, opened["standing"]))
    elif scenario.churn or opened["standing"] == turn.connections:
        turn.load.run(scale.warm_up, drain=scale.drain)
    window = scale.paced if scenario.paced_ms else scale.window * scenario.lengthened
    before, start = processes.usage(turn.server.pid), time.monotonic()
    if scenario.idle:
        done = turn.load.run(scale.connect, requests=max(1, opened["standing"]), drain=scale.drain)
    else:
        done = turn.load.run(window, drain=scale.drain)
    elapsed = time.monotonic() - start
    after = processes.usage(turn.server.pid)

    troubles = {name: opened[name] + done[name] for name in TROUBLES} | {"unanswered": done["unanswered"]}
    said = done["complaint"] or opened["complaint"]
    reading.failure = _verdict(turn.connections, done["requests"], troubles, f": {said}" if said else "")
    reading.values["errors"] = sum(troubles.values())
    reading.values["processes"], reading.values["threads"] = after.processes, after.threads
    if scenario.idle:
        return
    # Until the last answer, if it came: answers that come in waves are then counted in whole ones.
    reading.values["rps"] = (
        done["in_time"] / done["seconds"]
        if done["unanswered"]
        else done["requests"] / done["drained_seconds"]
    )
    reading.values["load_busy"] = min(1.0, done["cpu_seconds"] / done["seconds"])
    reading.values["server_busy"] = min(1.0, (after.cpu_seconds - before.cpu_seconds) / elapsed)
    if done["requests"]:
        _per_request(turn, before, after, done["requests"])
    if scenario.traced and reading.failure:
        reading.unknown["syscalls"] = "not counted after a failure"
    elif scenario.traced:
        _trace(turn)


def _per_request(turn: Turn, before: processes.Usage, after: processes.Usage, requests: int) -> None:
    values = turn.reading.values
    values["cpu_us"] = (after.cpu_seconds - before.cpu_seconds) / requests * 1e6
    switches = processes.switches_between(before, after)
    if isinstance(switches, str):
        turn.reading.unknown["switches"] = switches
    else:
        values["switches"] = switches / requests
    for name, percent in (("p50_ms", 50), ("p99_ms", 99), ("p999_ms", 99.9)):
        nanoseconds = turn.load.latencies.percentile(percent)
        if nanoseconds is not None:
            values[name] = nanoseconds / 1e6


def _rest(turn: Turn, memory: int, connections: int) -> None:
    """Let the connections stand idle, and see what that costs."""
    server, values = turn.server, turn.reading.values
    before, start = processes.usage(server.pid).cpu_seconds, time.monotonic()
    time.sleep(turn.scale.settle)
    spent = processes.usage(server.pid).cpu_seconds - before
    values["idle_cpu"] = spent / (time.monotonic() - start) * 100
    grown = processes.proportional_bytes(server.pid) - memory
    values["kib_per_connection"] = grown / connections / 1024


def _trace(turn: Turn) -> None:
    def work() -> int:
        requests: int = turn.load.run(turn.scale.trace, drain=TRACE_DRAIN)["requests"]
        return requests

    try:
        turn.reading.calls = syscalls.count_calls(turn.server.pid, work)
    except (MeasurementError, OSError) as error:
        turn.reading.unknown["syscalls"] = str(error)
    else:
        turn.reading.values["syscalls"] = sum(turn.reading.calls.values())


def _verdict(connections: int, requests: int, troubles: dict[str, int], said: str) -> str:
    """What the server did not do; empty if it did everything.

    said  the first error, after a colon
    """
    cut_off = troubles["refused"] + troubles["lost"]
    if requests == 0:
        return f"no request was answered{said}"
    if cut_off:
        return f"{cut_off:,} connections were refused or ended{said}"
    if troubles["unanswered"]:
        return f"{troubles['unanswered']:,} of {connections:,} connections waited in vain"
    if troubles["wrong"]:
        return f"{troubles['wrong']:,} wrong replies{said}"
    if troubles["errors"]:
        return f"{troubles['errors']:,} error replies{said}"
    if troubles["overdue"]:
        return f"{troubles['overdue']:,} requests could not be sent in their time"
    return ""
