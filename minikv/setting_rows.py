"""Every setting, one row each.

A row drives the configuration file, the command line, CONFIG GET, SET and REWRITE, and `docs/settings.md`.
Names, defaults and ranges are Redis's, but for the few that are safer here (`bind`) or minikv's own (`io`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Flag, auto

from minikv.models import MODELS
from minikv.setting_kinds import (
    INT64_MAX,
    UINT32_MAX,
    Bool,
    Directory,
    Enum,
    FileName,
    Flags,
    Int,
    Integers,
    KeyEvents,
    Kind,
    Memory,
    MemoryOrPercent,
    Octal,
    OutputLimits,
    Percentiles,
    SavePoints,
    String,
    Words,
)


class Access(Flag):
    """Who may change or see a setting."""

    OPEN = 0
    IMMUTABLE = auto()  # only at start-up
    PROTECTED = auto()  # at run time only if enable-protected-configs allows it
    SENSITIVE = auto()  # the value stays out of logs
    OWN = auto()  # no setting of Redis: who sets all that CONFIG GET shows does not know that it is immutable
    HIDDEN = auto()  # CONFIG GET shows it by its name, not by a pattern


OPEN, IMMUTABLE, PROTECTED = Access.OPEN, Access.IMMUTABLE, Access.PROTECTED
SENSITIVE, HIDDEN = Access.SENSITIVE, Access.HIDDEN
FIXED = IMMUTABLE | Access.OWN


@dataclass(frozen=True)
class Setting:
    """One setting."""

    name: str
    kind: Kind
    default: str  # as a user would write it
    doc: str  # one sentence
    access: Access = OPEN
    aliases: Sequence[str] = ()
    inert: str = ""  # why it is accepted but does nothing yet


# Reasons for `inert`.
NO_PERSISTENCE = "data is not written to disk yet"
NO_REPLICATION = "there is no replication yet"
NO_LOCALE = "strings are compared byte by byte"
NO_COMPRESSION = "lists are not compressed"
NO_SCRIPTS = "there is no scripting yet"
NO_ACL = "there are no access control lists yet"
NO_PLACEMENT = "processes are left where the system puts them"
NO_DEFRAG = "the arena gives free runs back by itself"
NO_NEED = "nothing here needs it"

YES_NO_LOCAL = Enum("no", "yes", "local")
SIGNAL_ACTIONS = Flags("default", "save", "nosave", "now", "force")
COUNT = Int(0, None)

# fmt: off
SECTIONS: dict[str, list[Setting]] = {
    "Network": [
        Setting("bind", Words("addresses"), "127.0.0.1 -::1",
                "Addresses to listen on; `-` before one lets it be missing, `*` and `::*` mean all."),
        Setting("port", Int(0, 65535), "6379", "TCP port to listen on; 0 is none."),
        Setting("unixsocket", String(), "", "Path of a Unix socket to listen on; empty is none.", IMMUTABLE),
        Setting("unixsocketperm", Octal(), "0", "Mode of the Unix sockets' files; 0 leaves it to the umask.",
                IMMUTABLE),
        Setting("udp-port", Int(0, 65535), "0",
                "UDP port whose datagrams are answered; 0 is none. For I/O models of one thread.", FIXED),
        Setting("udp-bind", Words("addresses"), "127.0.0.1 -::1",
                "Addresses of the UDP port, as in `bind`. To other machines no reply is larger than its "
                "request.", FIXED),
        Setting("unixdatagram", String(), "",
                "Path of a Unix datagram socket; empty is none. For I/O models of one thread.", FIXED),
        Setting("tcp-backlog", Int(0), "511", "Connections the kernel may hold before they are accepted.",
                IMMUTABLE, aliases=("listen.backlog",)),
        Setting("timeout", Int(0), "0", "Seconds after which an idle client is closed; 0 is never."),
        Setting("receive-timeout", Int(0), "60",
                "Seconds that a blocking worker waits for its client to send; 0 is for ever."),
        Setting("send-timeout", Int(0), "60",
                "Seconds that a blocking worker waits for its client to read; 0 is for ever."),
        Setting("tcp-nodelay", Bool(), "yes",
                "Send replies at once; `no` lets the kernel hold small ones back to join them (Nagle)."),
        Setting("tcp-quickack", Bool(), "no",
                "Acknowledge what is read at once, not with the reply: one more system call a read."),
        Setting("so-linger", Int(-1, 0), "-1",
                "0 drops what is on its way to a client that the server closes by force, and resets it "
                "(SO_LINGER); -1 leaves its delivery to the system."),
        Setting("tcp-keepalive", Int(0), "300", "Seconds between TCP keepalive probes; 0 is none."),
        Setting("maxclients", Int(1, UINT32_MAX), "10000",
                "Clients served at a time; lowered at start-up if the system allows fewer open files."),
        Setting("max-new-connections-per-cycle", Int(1, 1000), "10",
                "Connections accepted before the clients are served again."),
        Setting("protected-mode", Bool(), "yes",
                "Refuse clients from other machines while there is no password."),
        Setting("requirepass", String(), "", "Password that clients must give; empty is none.", SENSITIVE),
        Setting("bind-source-addr", String(), "", "Address that outgoing connections come from.",
                inert=NO_REPLICATION),
        Setting("socket-mark-id", Int(0, UINT32_MAX), "0", "Mark on sockets for the packet filter.",
                IMMUTABLE,
                inert=NO_NEED),
    ],
    "Process": [
        Setting("io", Enum(*MODELS), "epoll", "The I/O model: how sockets are waited for, read and written.",
                FIXED),
        Setting("worker-processes", Int(0, 1023), "0",
                "Worker processes of `nginx`; 0 is one for each processor.", FIXED),
        Setting("sub-reactors", Int(0, 128), "0",
                "Threads of `reactors` that own connections; 0 is one for each processor, four at most.",
                FIXED),
        Setting("sub-poller", Enum("epoll", "poll"), "epoll", "How the sub-reactors of `reactors` wait.",
                FIXED),
        Setting("reuseport", Bool(), "no",
                "Give each worker process of `nginx` its own listening socket (SO_REUSEPORT).", FIXED),
        Setting("pm", Enum("static", "dynamic", "ondemand"), "dynamic",
                "How `prefork` decides how many workers there are, as in php-fpm.", FIXED),
        Setting("pm.max_children", Int(1, 1023), "64", "Workers of `prefork`, at most.", FIXED),
        Setting("pm.start_servers", Int(1, 1023), "4", "Workers at the start, if `pm` is dynamic.",
                FIXED),
        Setting("pm.min_spare_servers", Int(1, 1023), "2", "Idle workers, at least, if `pm` is dynamic.",
                FIXED),
        Setting("pm.max_spare_servers", Int(1, 1023), "8", "Idle workers, at most, if `pm` is dynamic.",
                FIXED),
        Setting("pm.process_idle_timeout", Int(1), "10",
                "Seconds after which an idle worker ends, if `pm` is ondemand.", FIXED),
        Setting("pm.max_requests", Int(0), "0",
                "Connections that a worker serves before another takes its place; 0 is no limit.", FIXED),
        Setting("request_terminate_timeout", Int(0), "0",
                "Seconds after which a worker is ended whose request still runs; 0 is never.", FIXED),
        Setting("request_slowlog_timeout", Int(0), "0",
                "Seconds after which a request that still runs is logged; 0 is never.", FIXED),
        Setting("daemonize", Bool(), "no", "Run in the background.", IMMUTABLE),
        Setting("pidfile", String(), "", "File that holds the process number while the server runs.",
                IMMUTABLE),
        Setting("dir", Directory(), "./", "Working directory; relative paths start here.", PROTECTED),
        Setting("databases", Int(1), "16", "Number of databases.", IMMUTABLE),
        Setting("hz", Int(0, clamp=(1, 500)), "10", "Rounds of background work a second."),
        Setting("dynamic-hz", Bool(), "yes", "Do more rounds when there are many clients."),
        Setting("enable-protected-configs", YES_NO_LOCAL, "no",
                "Who may change protected settings while the server runs.", IMMUTABLE),
        Setting("enable-debug-command", YES_NO_LOCAL, "no", "Who may use DEBUG.", IMMUTABLE),
        Setting("enable-module-command", YES_NO_LOCAL, "no", "Who may use MODULE.", IMMUTABLE,
                inert="there are no modules"),
        Setting("io-threads", Int(1, 128), "1", "Threads that read and write sockets.", IMMUTABLE,
                inert="the model `reactors` has sub-reactors"),
        Setting("shutdown-timeout", Int(0), "10", "Seconds to wait for replicas at shutdown.",
                inert=NO_REPLICATION),
        Setting("shutdown-on-sigint", SIGNAL_ACTIONS, "default", "What SIGINT does about saving.",
                inert=NO_PERSISTENCE),
        Setting("shutdown-on-sigterm", SIGNAL_ACTIONS, "default", "What SIGTERM does about saving.",
                inert=NO_PERSISTENCE),
        Setting("supervised", Enum("upstart", "systemd", "auto", "no"), "no",
                "Tell a supervisor when the server is ready.", IMMUTABLE, inert=NO_NEED),
        Setting("set-proc-title", Bool(), "yes", "Show the state in the process title.", IMMUTABLE,
                inert="the title stays as it is"),
        Setting("proc-title-template", String(), "{title} {listen-addr} {server-mode}",
                "What the process title shows.", inert="the title stays as it is"),
        Setting("disable-thp", Bool(), "yes", "Keep transparent huge pages off.", IMMUTABLE, inert=NO_NEED),
        Setting("oom-score-adj", Enum("no", "yes", "relative", "absolute"), "no",
                "Change how soon the system ends this process for want of memory.", inert=NO_PLACEMENT),
        Setting("oom-score-adj-values", Integers(3, -2000, 2000), "0 200 800",
                "The scores of a master, a replica and a child process.", inert=NO_PLACEMENT),
        Setting("server-cpulist", String(), "", "Processors of the main thread.", IMMUTABLE,
                ("server_cpulist",), NO_PLACEMENT),
        Setting("bio-cpulist", String(), "", "Processors of background threads.", IMMUTABLE,
                ("bio_cpulist",), NO_PLACEMENT),
        Setting("bgsave-cpulist", String(), "", "Processors of a background save.", IMMUTABLE,
                ("bgsave_cpulist",), NO_PLACEMENT),
        Setting("aof-rewrite-cpulist", String(), "", "Processors of a background log rewrite.", IMMUTABLE,
                ("aof_rewrite_cpulist",), NO_PLACEMENT),
        Setting("cluster-enabled", Enum("no"), "no", "Cluster mode, which minikv does not have.", IMMUTABLE),
        Setting("locale-collate", String(), "", "Locale by which strings are compared.", inert=NO_LOCALE),
    ],
    "Log": [
        Setting("loglevel", Enum("debug", "verbose", "notice", "warning", "nothing"), "notice",
                "The least urgent messages that are logged."),
        Setting("logfile", String(), "", "File to log to; empty is standard output.", IMMUTABLE),
        Setting("syslog-enabled", Bool(), "no", "Log to the system log too.", IMMUTABLE),
        Setting("syslog-ident", String(), "minikv", "Name of this server in the system log.", IMMUTABLE),
        Setting("syslog-facility", Enum("user", *(f"local{number}" for number in range(8))), "local0",
                "Facility of the system log.", IMMUTABLE),
        Setting("always-show-logo", Bool(), "no", "Draw a logo at start-up.", IMMUTABLE,
                inert="there is no logo"),
        Setting("hide-user-data-from-log", Bool(), "no", "Keep keys and values out of the log.",
                inert="keys and values are never logged"),
        Setting("crash-log-enabled", Bool(), "yes", "Log a report when the server crashes.", inert=NO_NEED),
        Setting("crash-memcheck-enabled", Bool(), "yes", "Test the memory when the server crashes.",
                inert=NO_NEED),
        Setting("ignore-warnings", String(), "", "Start-up checks to pass over.", inert=NO_NEED),
    ],
    "Memory": [
        Setting("maxmemory", Memory(), "0", "Most memory the data may take; 0 is no limit."),
        Setting("maxmemory-policy",
                Enum("volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl", "allkeys-lru",
                     "allkeys-lfu", "allkeys-random", "noeviction"),
                "noeviction", "Which keys are removed when maxmemory is reached."),
        Setting("maxmemory-samples", Int(1, 64), "5", "Keys compared to find the one to remove."),
        Setting("maxmemory-eviction-tenacity", Int(0, 100), "10",
                "How long removing keys may delay clients; 100 is as long as it takes."),
        Setting("maxmemory-clients", MemoryOrPercent(), "0",
                "Most memory all clients' buffers may take; 0 is no limit."),
        Setting("lfu-log-factor", Int(0), "10", "How many hits it takes to raise a key's use counter."),
        Setting("lfu-decay-time", Int(0), "1", "Minutes after which a key's use counter falls by one."),
        Setting("active-expire-effort", Int(1, 10), "1", "How hard to look for keys that have expired."),
        Setting("lazyfree-lazy-eviction", Bool(), "no", "Free evicted values in slices."),
        Setting("lazyfree-lazy-expire", Bool(), "no", "Free expired values in slices."),
        Setting("lazyfree-lazy-server-del", Bool(), "no", "Free overwritten values in slices."),
        Setting("lazyfree-lazy-user-del", Bool(), "no", "Let DEL free as UNLINK does."),
        Setting("lazyfree-lazy-user-flush", Bool(), "no",
                "Let FLUSHALL and FLUSHDB free in slices unless they say SYNC."),
        Setting("activerehashing", Bool(), "yes", "Spend idle time on rehashing.",
                inert="the table grows a page at a time"),
        Setting("activedefrag", Bool(), "no", "Move values to gather free memory.", inert=NO_DEFRAG),
        Setting("active-defrag-cycle-min", Int(1, 99), "1", "Least share of a processor for it.",
                inert=NO_DEFRAG),
        Setting("active-defrag-cycle-max", Int(1, 99), "25", "Largest share of a processor for it.",
                inert=NO_DEFRAG),
        Setting("active-defrag-ignore-bytes", Memory(1, INT64_MAX), "100mb", "Waste that does not start it.",
                inert=NO_DEFRAG),
        Setting("active-defrag-threshold-lower", Int(0, 1000), "10", "Waste in percent that starts it.",
                inert=NO_DEFRAG),
        Setting("active-defrag-threshold-upper", Int(0, 1000), "100",
                "Waste in percent for its largest share.", inert=NO_DEFRAG),
        Setting("active-defrag-max-scan-fields", Int(1, INT64_MAX), "1000",
                "Members above which a value is done in slices.", inert=NO_DEFRAG),
        Setting("jemalloc-bg-thread", Bool(), "yes", "Give memory back from a thread.", inert=NO_DEFRAG),
    ],
    "Clients": [
        Setting("client-query-buffer-limit", Memory(2**20, INT64_MAX), "1gb",
                "Most bytes of unfinished commands a client may have sent."),
        Setting("client-output-buffer-limit", OutputLimits(),
                "normal 0 0 0 replica 256mb 64mb 60 pubsub 32mb 8mb 60",
                "When a client that does not read its replies is closed: at the hard limit, or after some "
                "seconds above the soft limit."),
        Setting("proto-max-bulk-len", Memory(2**20, INT64_MAX), "512mb", "Longest string a client may send."),
        Setting("tracking-table-max-keys", COUNT, "1000000", "Keys remembered for client-side caching."),
        Setting("acllog-max-len", COUNT, "128", "Refused commands remembered for ACL LOG.", inert=NO_ACL),
    ],
    "Observation": [
        Setting("slowlog-log-slower-than", Int(-1, INT64_MAX), "10000",
                "Microseconds from which a command is slow; 0 logs all, -1 none."),
        Setting("slowlog-max-len", Int(0, INT64_MAX), "128", "Slow commands remembered."),
        Setting("latency-monitor-threshold", Int(0, INT64_MAX), "0",
                "Milliseconds from which an event is remembered for LATENCY; 0 is off."),
        Setting("latency-tracking", Bool(), "yes", "Keep a histogram of each command's time."),
        Setting("latency-tracking-info-percentiles", Percentiles(), "50 99 99.9",
                "Percentiles that INFO shows of those times."),
        Setting("notify-keyspace-events", KeyEvents(), "",
                "Events of keys to publish: K or E for the channel, then letters for the kinds."),
    ],
    "Encodings": [
        Setting("hash-max-listpack-entries", COUNT, "512", "Fields up to which a hash is packed.",
                aliases=("hash-max-ziplist-entries",)),
        Setting("hash-max-listpack-value", Memory(), "64", "Longest field or value in a packed hash.",
                aliases=("hash-max-ziplist-value",)),
        Setting("list-max-listpack-size", Int(-(2**31)), "-2",
                "Size of a list's blocks: a count, or -1 to -5 for 4, 8, 16, 32 or 64 KiB.",
                aliases=("list-max-ziplist-size",)),
        Setting("list-compress-depth", Int(0), "0",
                "Blocks at each end of a list that stay uncompressed; 0 compresses none.",
                inert=NO_COMPRESSION),
        Setting("set-max-intset-entries", COUNT, "512", "Members up to which a set of numbers is an array."),
        Setting("set-max-listpack-entries", COUNT, "128", "Members up to which a set is packed."),
        Setting("set-max-listpack-value", Memory(), "64", "Longest member of a packed set."),
        Setting("zset-max-listpack-entries", COUNT, "128", "Members up to which a sorted set is packed.",
                aliases=("zset-max-ziplist-entries",)),
        Setting("zset-max-listpack-value", Memory(), "64", "Longest member of a packed sorted set.",
                aliases=("zset-max-ziplist-value",)),
        Setting("hll-sparse-max-bytes", Memory(), "3000", "Size up to which a HyperLogLog is sparse."),
        Setting("stream-node-max-bytes", Memory(), "4kb", "Size of a stream's blocks; 0 is no limit."),
        Setting("stream-node-max-entries", Int(0, INT64_MAX), "100",
                "Entries of a stream's blocks; 0 is no limit."),
        Setting("sanitize-dump-payload", Enum("no", "yes", "clients"), "no",
                "Check values that RESTORE brings in."),
    ],
    "Scripts": [
        Setting("busy-reply-threshold", Int(0, INT64_MAX), "5000",
                "Milliseconds after which other clients are told that a script is running.",
                aliases=("lua-time-limit",), inert=NO_SCRIPTS),
    ],
    "Persistence": [
        Setting("save", SavePoints(), "3600 1 300 100 60 10000",
                "When to save: after so many seconds if there were so many changes; empty is never.",
                inert=NO_PERSISTENCE),
        Setting("dbfilename", FileName(), "dump.rdb", "Name of the dump file.", PROTECTED,
                inert=NO_PERSISTENCE),
        Setting("rdbcompression", Bool(), "yes", "Compress strings in the dump.", inert=NO_PERSISTENCE),
        Setting("rdbchecksum", Bool(), "yes", "End the dump with a checksum.", IMMUTABLE,
                inert=NO_PERSISTENCE),
        Setting("rdb-del-sync-files", Bool(), "no", "Delete dumps that were made for replicas.",
                inert=NO_PERSISTENCE),
        Setting("rdb-save-incremental-fsync", Bool(), "yes", "Flush a dump as it is written.",
                inert=NO_PERSISTENCE),
        Setting("key-load-delay", Int(-(2**31)), "0", "Pause after each key of a load, for tests.", HIDDEN,
                inert=NO_PERSISTENCE),
        Setting("rdb-key-save-delay", Int(-(2**31)), "0", "Pause after each key of a save, for tests.",
                HIDDEN, inert=NO_PERSISTENCE),
        Setting("stop-writes-on-bgsave-error", Bool(), "yes", "Refuse writes after a save has failed.",
                inert=NO_PERSISTENCE),
        Setting("appendonly", Bool(), "no", "Log every write.", inert=NO_PERSISTENCE),
        Setting("appendfilename", FileName(), "appendonly.aof", "Name of the log's files.", IMMUTABLE,
                inert=NO_PERSISTENCE),
        Setting("appenddirname", FileName(), "appendonlydir", "Directory of the log's files.", IMMUTABLE,
                inert=NO_PERSISTENCE),
        Setting("appendfsync", Enum("everysec", "always", "no"), "everysec", "How often the log is flushed.",
                inert=NO_PERSISTENCE),
        Setting("no-appendfsync-on-rewrite", Bool(), "no", "Do not flush the log while it is rewritten.",
                inert=NO_PERSISTENCE),
        Setting("auto-aof-rewrite-percentage", Int(0), "100", "Growth in percent that rewrites the log.",
                inert=NO_PERSISTENCE),
        Setting("auto-aof-rewrite-min-size", Memory(0, INT64_MAX), "64mb",
                "Size below which the log is not rewritten.", inert=NO_PERSISTENCE),
        Setting("aof-load-truncated", Bool(), "yes", "Load a log whose end is missing.",
                inert=NO_PERSISTENCE),
        Setting("aof-use-rdb-preamble", Bool(), "yes", "Begin a rewritten log with a dump.",
                inert=NO_PERSISTENCE),
        Setting("aof-timestamp-enabled", Bool(), "no", "Note times in the log.", inert=NO_PERSISTENCE),
        Setting("aof-rewrite-incremental-fsync", Bool(), "yes", "Flush a rewritten log as it is written.",
                inert=NO_PERSISTENCE),
        Setting("propagation-error-behavior", Enum("ignore", "panic", "panic-on-replicas"), "ignore",
                "What to do when a logged or replicated command fails.", inert=NO_PERSISTENCE),
    ],
    "Replication": [
        Setting("replicaof", Words("host and port"), "", "The server to copy; empty is none.", IMMUTABLE,
                ("slaveof",), NO_REPLICATION),
        Setting("masteruser", String(), "", "User name for the master.", SENSITIVE, inert=NO_REPLICATION),
        Setting("masterauth", String(), "", "Password for the master.", SENSITIVE, inert=NO_REPLICATION),
        Setting("replica-serve-stale-data", Bool(), "yes", "Answer clients while the master is away.",
                aliases=("slave-serve-stale-data",), inert=NO_REPLICATION),
        Setting("replica-read-only", Bool(), "yes", "Refuse writes on a replica.",
                aliases=("slave-read-only",), inert=NO_REPLICATION),
        Setting("replica-lazy-flush", Bool(), "no", "Free old data in slices when a copy arrives.",
                aliases=("slave-lazy-flush",), inert=NO_REPLICATION),
        Setting("replica-ignore-maxmemory", Bool(), "yes", "Leave eviction to the master.",
                aliases=("slave-ignore-maxmemory",), inert=NO_REPLICATION),
        Setting("replica-ignore-disk-write-errors", Bool(), "no",
                "Go on when a replica cannot write to disk.", inert=NO_REPLICATION),
        Setting("replica-priority", Int(0), "100", "Rank for promotion; 0 is never.",
                aliases=("slave-priority",), inert=NO_REPLICATION),
        Setting("replica-announced", Bool(), "yes", "Let Sentinel know of this replica.",
                inert=NO_REPLICATION),
        Setting("replica-announce-ip", String(), "", "Address to report to the master.",
                aliases=("slave-announce-ip",), inert=NO_REPLICATION),
        Setting("replica-announce-port", Int(0, 65535), "0", "Port to report to the master.",
                aliases=("slave-announce-port",), inert=NO_REPLICATION),
        Setting("replica-full-sync-buffer-limit", Memory(), "0", "Most bytes kept during a full copy.",
                inert=NO_REPLICATION),
        Setting("repl-diskless-sync", Bool(), "yes", "Send a full copy without a file.",
                inert=NO_REPLICATION),
        Setting("repl-diskless-sync-delay", Int(0), "5", "Seconds to wait for more replicas.",
                inert=NO_REPLICATION),
        Setting("repl-diskless-sync-max-replicas", Int(0), "0", "Replicas that end that wait.",
                inert=NO_REPLICATION),
        Setting("repl-diskless-load", Enum("disabled", "on-empty-db", "swapdb"), "disabled",
                "When a replica loads a full copy without a file.", inert=NO_REPLICATION),
        Setting("repl-disable-tcp-nodelay", Bool(), "no", "Send to replicas in fewer, later packets.",
                inert=NO_REPLICATION),
        Setting("repl-ping-replica-period", Int(1), "10", "Seconds between pings to replicas.",
                aliases=("repl-ping-slave-period",), inert=NO_REPLICATION),
        Setting("repl-timeout", Int(1), "60", "Seconds of silence that end a link.", inert=NO_REPLICATION),
        Setting("repl-backlog-size", Memory(1, INT64_MAX), "1mb", "Bytes kept for replicas that come back.",
                inert=NO_REPLICATION),
        Setting("repl-backlog-ttl", Int(0, INT64_MAX), "3600", "Seconds they are kept without a replica.",
                inert=NO_REPLICATION),
        Setting("min-replicas-to-write", Int(0), "0", "Replicas without which writes are refused.",
                aliases=("min-slaves-to-write",), inert=NO_REPLICATION),
        Setting("min-replicas-max-lag", Int(0), "10", "Seconds a replica may lag to count.",
                aliases=("min-slaves-max-lag",), inert=NO_REPLICATION),
    ],
}
# fmt: on

ROWS: list[Setting] = [row for rows in SECTIONS.values() for row in rows]
