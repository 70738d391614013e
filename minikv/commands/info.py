"""INFO: the server's figures, by section, under Redis's names. What minikv does not have is shown as zero."""

import os
import platform
import resource
import sys
from collections.abc import Callable, Iterable
from itertools import accumulate

from minikv_core.inspection import COMPILER, average_ttl
from minikv_core.registry import specs

from minikv.memory import MemoryFigures, human, system_bytes
from minikv.registry import LOADING, STALE, Session, Verbatim, command
from minikv.version import REDIS_VERSION, __version__

Rows = dict[str, object]
ODD = str.maketrans("#:\n\r", "____")  # may not stand in a name

TIPS = ("nondeterministic_output", "request_policy:all_shards", "response_policy:special")


@command(
    "INFO", arity=-1, flags=LOADING | STALE, group="server", since="1.0.0", cost="O(1)", tips=TIPS,
    categories="dangerous", summary="Show the server's figures.", args="[section ...]",
    history=(("7.0.0", "Several sections."),),
)  # fmt: skip
def info(session: Session, *words: bytes) -> Verbatim:
    wanted = chosen(word.decode("latin-1").lower() for word in words) if words else DEFAULT
    texts = [section_text(name, SECTIONS[name](session)) for name in SECTIONS if name in wanted]
    return Verbatim("\r\n".join(texts))


def chosen(words: Iterable[str]) -> set[str]:
    """The sections that these words name; unknown ones name none."""
    names: set[str] = set()
    for word in words:
        names |= GROUPS.get(word, {word})
    return names


def section_text(name: str, rows: Rows) -> str:
    return f"# {TITLES.get(name, name.capitalize())}\r\n" + "".join(f"{k}:{v}\r\n" for k, v in rows.items())


# ---------------------------------------------------------------- the process and its clients


def server(session: Session) -> Rows:
    host = session.server
    settings = host.settings
    facts = session.engine.facts
    system = os.uname()
    seconds = facts["uptime_us"] // 1_000_000
    rows: Rows = {
        "redis_version": REDIS_VERSION,
        "minikv_version": __version__,
        "redis_git_sha1": "00000000",
        "redis_git_dirty": 0,
        "redis_build_id": 0,
        "redis_mode": "standalone",
        "os": f"{system.sysname} {system.release} {system.machine}",
        "arch_bits": 64,
        "monotonic_clock": "POSIX clock_gettime",
        "multiplexing_api": settings["io"],
        "atomicvar_api": "none",
        "gcc_version": COMPILER.split()[0],
        "python_version": platform.python_version(),
        "process_id": os.getpid(),
        "process_supervised": "no",
        "run_id": host.run_id,
        "tcp_port": host.port,
        "server_time_usec": facts["now_us"],
        "uptime_in_seconds": seconds,
        "uptime_in_days": seconds // 86400,
        "hz": facts["hz"],
        "configured_hz": settings["hz"],
        "lru_clock": facts["lru_clock"],
        "executable": sys.executable,
        "config_file": settings.path or "",
        "io_threads_active": 0,
    }
    listeners = []
    if host.port:
        addresses = ",".join(f"bind={address}" for address in settings["bind"])
        listeners.append(f"name=tcp,{addresses},port={host.port}")
    if settings["unixsocket"]:
        listeners.append(f"name=unix,bind={settings['unixsocket']}")
    return rows | {f"listener{i}": listener for i, listener in enumerate(listeners)}


def clients(session: Session) -> Rows:
    facts = session.engine.facts
    figures = session.engine.clients()
    return {
        "connected_clients": facts["sessions"],
        "cluster_connections": 0,
        "maxclients": session.server.settings["maxclients"],
        "client_recent_max_input_buffer": figures["max_input"],
        "client_recent_max_output_buffer": figures["max_output"],
        "blocked_clients": facts["blocked"],
        "tracking_clients": facts["trackers"],
        "pubsub_clients": facts["subscribers"],
        "watching_clients": figures["watching"],
        "clients_in_timeout_table": 0,
        "total_watched_keys": facts["watched"],
        "total_blocking_keys": facts["waited_keys"],
        "total_blocking_keys_on_nokey": facts["waited_gone"],
    }


def memory(session: Session) -> Rows:
    figures = MemoryFigures(session.engine)
    settings = session.server.settings
    total = system_bytes()
    return {
        "used_memory": figures.used,
        "used_memory_human": human(figures.used),
        "used_memory_rss": figures.rss,
        "used_memory_rss_human": human(figures.rss),
        "used_memory_peak": figures.peak,
        "used_memory_peak_human": human(figures.peak),
        "used_memory_peak_time": figures.peak_time,
        "used_memory_peak_perc": f"{figures.peak_percent:.2f}%",
        "used_memory_overhead": figures.overhead,
        "used_memory_startup": figures.startup,
        "used_memory_dataset": figures.dataset,
        "used_memory_dataset_perc": f"{figures.dataset_percent:.2f}%",
        "allocator_allocated": figures.allocated,
        "allocator_active": figures.active,
        "allocator_resident": figures.resident,
        "allocator_muzzy": 0,
        "total_system_memory": total,
        "total_system_memory_human": human(total),
        "used_memory_lua": 0,
        "used_memory_vm_eval": 0,
        "used_memory_lua_human": human(0),
        "used_memory_scripts_eval": 0,
        "number_of_cached_scripts": 0,
        "number_of_functions": 0,
        "number_of_libraries": 0,
        "used_memory_vm_functions": 0,
        "used_memory_vm_total": 0,
        "used_memory_vm_total_human": human(0),
        "used_memory_functions": 0,
        "used_memory_scripts": 0,
        "used_memory_scripts_human": human(0),
        "maxmemory": settings["maxmemory"],
        "maxmemory_human": human(settings["maxmemory"]),
        "maxmemory_policy": settings["maxmemory-policy"],
        "allocator_frag_ratio": f"{figures.active / figures.allocated:.2f}",
        "allocator_frag_bytes": figures.active - figures.allocated,
        "allocator_rss_ratio": f"{figures.resident / figures.active:.2f}",
        "allocator_rss_bytes": figures.resident - figures.active,
        "rss_overhead_ratio": f"{figures.rss / figures.resident:.2f}",
        "rss_overhead_bytes": figures.rss - figures.resident,
        "mem_fragmentation_ratio": f"{figures.rss / figures.used:.2f}",
        "mem_fragmentation_bytes": figures.rss - figures.used,
        "mem_not_counted_for_evict": 0,
        "mem_replication_backlog": 0,
        "mem_total_replication_buffers": 0,
        "mem_replica_full_sync_buffer": 0,
        "mem_clients_slaves": 0,
        "mem_clients_normal": figures.clients,
        "mem_cluster_links": 0,
        "mem_aof_buffer": 0,
        "mem_allocator": "arena",
        "mem_overhead_db_hashtable_rehashing": 0,
        "active_defrag_running": 0,
        "lazyfree_pending_objects": figures.lazyfree_pending,
        "lazyfreed_objects": session.engine.stats()["lazyfreed"],
    }


def persistence(session: Session) -> Rows:
    facts = session.engine.facts
    return {
        "loading": 0,
        "async_loading": 0,
        "current_cow_peak": 0,
        "current_cow_size": 0,
        "current_cow_size_age": 0,
        "current_fork_perc": "0.00",
        "current_save_keys_processed": 0,
        "current_save_keys_total": 0,
        "rdb_changes_since_last_save": facts["dirty"],
        "rdb_bgsave_in_progress": 0,
        "rdb_last_save_time": facts["start_us"] // 1_000_000,
        "rdb_last_bgsave_status": "ok",
        "rdb_last_bgsave_time_sec": -1,
        "rdb_current_bgsave_time_sec": -1,
        "rdb_saves": 0,
        "rdb_last_cow_size": 0,
        "rdb_last_load_keys_expired": 0,
        "rdb_last_load_keys_loaded": 0,
        "aof_enabled": 0,
        "aof_rewrite_in_progress": 0,
        "aof_rewrite_scheduled": 0,
        "aof_last_rewrite_time_sec": -1,
        "aof_current_rewrite_time_sec": -1,
        "aof_last_bgrewrite_status": "ok",
        "aof_rewrites": 0,
        "aof_rewrites_consecutive_failures": 0,
        "aof_last_write_status": "ok",
        "aof_last_cow_size": 0,
        "module_fork_in_progress": 0,
        "module_fork_last_cow_size": 0,
    }


def threads(session: Session) -> Rows:
    stats = session.engine.stats()
    count = session.engine.facts["sessions"]
    return {"io_thread_0": f"clients={count},reads={stats['reads']},writes={stats['writes']}"}


def stats(session: Session) -> Rows:
    engine = session.engine
    n = engine.stats()
    facts = engine.facts
    rates = engine.rates()
    return {
        "total_connections_received": n["connections"],
        "total_commands_processed": n["commands"],
        "instantaneous_ops_per_sec": round(rates[0]),
        "total_net_input_bytes": n["net_input"],
        "total_net_output_bytes": n["net_output"],
        "total_net_repl_input_bytes": 0,
        "total_net_repl_output_bytes": 0,
        "instantaneous_input_kbps": f"{rates[1] / 1024:.2f}",
        "instantaneous_output_kbps": f"{rates[2] / 1024:.2f}",
        "instantaneous_input_repl_kbps": "0.00",
        "instantaneous_output_repl_kbps": "0.00",
        "rejected_connections": n["rejected_connections"],
        "sync_full": 0,
        "sync_partial_ok": 0,
        "sync_partial_err": 0,
        "expired_subkeys": n["expired_fields"],
        "expired_keys": n["expired"],
        "expired_stale_perc": "0.00",
        "expired_time_cap_reached_count": n["expire_time_caps"],
        "expire_cycle_cpu_milliseconds": n["expire_cycle_us"] // 1000,
        "evicted_keys": n["evicted"],
        "evicted_clients": n["evicted_clients"],
        "evicted_scripts": 0,
        "total_eviction_exceeded_time": n["eviction_exceeded_us"] // 1000,
        "current_eviction_exceeded_time": 0,
        "keyspace_hits": n["hits"],
        "keyspace_misses": n["misses"],
        "pubsub_channels": facts["channels"],
        "pubsub_patterns": facts["patterns"],
        "pubsubshard_channels": facts["shard_channels"],
        "latest_fork_usec": 0,
        "total_forks": 0,
        "migrate_cached_sockets": 0,
        "slave_expires_tracked_keys": 0,
        "active_defrag_hits": 0,
        "active_defrag_misses": 0,
        "active_defrag_key_hits": 0,
        "active_defrag_key_misses": 0,
        "total_active_defrag_time": 0,
        "current_active_defrag_time": 0,
        "tracking_total_keys": facts["tracked_keys"],
        "tracking_total_items": facts["tracked_items"],
        "tracking_total_prefixes": facts["tracked_prefixes"],
        "unexpected_error_replies": n["unexpected_errors"],
        "total_error_replies": n["errors"],
        "dump_payload_sanitizations": 0,
        "total_reads_processed": n["reads"],
        "total_writes_processed": n["writes"],
        "io_threaded_reads_processed": 0,
        "io_threaded_writes_processed": 0,
        "io_threaded_total_prefetch_batches": 0,
        "io_threaded_total_prefetch_entries": 0,
        "client_query_buffer_limit_disconnections": n["query_limit_disconnections"],
        "client_output_buffer_limit_disconnections": n["output_limit_disconnections"],
        "reply_buffer_shrinks": n["reply_shrinks"],
        "reply_buffer_expands": n["reply_expands"],
        "eventloop_cycles": n["loops"],
        "eventloop_duration_sum": n["loop_us"],
        "eventloop_duration_cmd_sum": command_time(session),
        "instantaneous_eventloop_cycles_per_sec": round(rates[3]),
        "instantaneous_eventloop_duration_usec": round(rates[4]),
        "acl_access_denied_auth": 0,
        "acl_access_denied_cmd": 0,
        "acl_access_denied_key": 0,
        "acl_access_denied_channel": 0,
    }


def command_time(session: Session) -> int:
    """Microseconds spent in commands; EXEC's time is that of the commands it ran."""
    rows = session.engine.command_stats()
    return sum(row[1] for id, row in rows.items() if specs[id].name != "exec")


def replication(session: Session) -> Rows:
    return {
        "role": "master",
        "connected_slaves": 0,
        "master_failover_state": "no-failover",
        "master_replid": session.server.replication_id,
        "master_replid2": "0" * 40,
        "master_repl_offset": 0,
        "second_repl_offset": -1,
        "repl_backlog_active": 0,
        "repl_backlog_size": session.server.settings["repl-backlog-size"],
        "repl_backlog_first_byte_offset": 0,
        "repl_backlog_histlen": 0,
    }


def cpu(session: Session) -> Rows:
    process = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    thread = resource.getrusage(resource.RUSAGE_THREAD)  # the engine's: it runs this command
    return {
        "used_cpu_sys": f"{process.ru_stime:.6f}",
        "used_cpu_user": f"{process.ru_utime:.6f}",
        "used_cpu_sys_children": f"{children.ru_stime:.6f}",
        "used_cpu_user_children": f"{children.ru_utime:.6f}",
        "used_cpu_sys_main_thread": f"{thread.ru_stime:.6f}",
        "used_cpu_user_main_thread": f"{thread.ru_utime:.6f}",
    }


def nothing(session: Session) -> Rows:
    return {}


# ---------------------------------------------------------------- commands, errors, keys


def command_statistics(session: Session) -> Rows:
    return {
        f"cmdstat_{specs[id].name.translate(ODD)}": f"calls={calls},usec={us},"
        f"usec_per_call={us / max(calls, 1):.2f},rejected_calls={rejected},failed_calls={failed}"
        for id, (calls, us, rejected, failed, _) in session.engine.command_stats().items()
    }


def error_statistics(session: Session) -> Rows:
    counts = session.engine.error_stats()
    return {
        f"errorstat_{code.decode('utf-8', 'replace').translate(ODD)}": f"count={count}"
        for code, count in counts.items()
    }


def latency_statistics(session: Session) -> Rows:
    settings = session.server.settings
    if not settings["latency-tracking"]:
        return {}
    percentiles = settings["latency-tracking-info-percentiles"]
    return {
        f"latency_percentiles_usec_{specs[id].name.translate(ODD)}": ",".join(
            f"p{repr(percentile).removesuffix('.0')}={at_most(row[4], percentile):.3f}"
            for percentile in percentiles
        )
        for id, row in session.engine.command_stats().items()
        if any(row[4])
    }


def at_most(counts: list[int], percentile: float) -> int:
    """Microseconds below which that percentage of the calls stayed: the upper end of the histogram's step."""
    sums = list(accumulate(counts))
    wanted = max(sums[-1] * percentile / 100, 1)
    return 1 << next(i for i, total in enumerate(sums) if total >= wanted)


def cluster(session: Session) -> Rows:
    return {"cluster_enabled": 0}


def keyspace(session: Session) -> Rows:
    return {
        f"db{index}": f"keys={keys},expires={expiring},"
        f"avg_ttl={average_ttl(session.engine, index)},subexpiry={of_fields}"
        for index, (keys, expiring, _, of_fields) in session.engine.keyspace().items()
    }


def debug(session: Session) -> Rows:
    n = session.engine.stats()
    return {
        "eventloop_duration_aof_sum": 0,
        "eventloop_duration_cron_sum": n["cron_us"],
        "eventloop_duration_max": n["loop_us_max"],
        "eventloop_cmd_per_cycle_max": n["loop_commands_max"],
        "allocator_allocated_lua": 0,
        "allocator_active_lua": 0,
        "allocator_resident_lua": 0,
        "allocator_frag_bytes_lua": 0,
    }


def workers(session: Session) -> Rows:
    rows: Rows = session.server.worker_rows()
    return rows


# ---------------------------------------------------------------- the sections, in order

SECTIONS: dict[str, Callable[[Session], Rows]] = {
    "server": server,
    "clients": clients,
    "memory": memory,
    "persistence": persistence,
    "threads": threads,
    "workers": workers,
    "stats": stats,
    "replication": replication,
    "cpu": cpu,
    "modules": nothing,
    "commandstats": command_statistics,
    "errorstats": error_statistics,
    "latencystats": latency_statistics,
    "cluster": cluster,
    "keyspace": keyspace,
    "keysizes": nothing,  # histograms of sizes are not kept
    "debug": debug,
}
TITLES = {"cpu": "CPU"}
ALL = SECTIONS.keys() - {"debug", "workers"}
DEFAULT = ALL - {"commandstats", "latencystats"}
GROUPS = {"default": DEFAULT, "all": ALL, "everything": ALL}
