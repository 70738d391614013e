import os
from pathlib import Path

import pytest

from minikv import conf, setting_docs
from minikv.errors import MinikvError, SettingError, UnknownSetting
from minikv.setting_kinds import OutputLimit, SavePoint
from minikv.setting_rows import ROWS, Access
from minikv.settings import Settings, find

STOCK_CONFIGURATION = """\
bind 127.0.0.1 -::1
protected-mode yes
proc-title-template "{title} {listen-addr} {server-mode}"
save 3600 1 300 100
replica-serve-stale-data yes
repl-diskless-load disabled
oom-score-adj-values 0 200 800
auto-aof-rewrite-min-size 64mb
hash-max-ziplist-entries 512
client-output-buffer-limit normal 0 0 0
client-output-buffer-limit replica 256mb 64mb 60
lua-time-limit 5000
slaveof no one
"""


@pytest.fixture
def settings():
    return Settings()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_row_reads_back_what_it_shows_and_writes(row):
    value = row.kind.read((row.default,))
    assert row.kind.read((row.kind.show(value),)) == value
    read = row.kind.read(row.kind.lines(value)[0])
    for words in row.kind.lines(value)[1:]:
        read = row.kind.join(read, row.kind.read(words), True)
    assert read == value
    assert row.doc.endswith(".")
    assert row.name == row.name.lower()


def test_names_are_unique():
    names = [name for row in ROWS for name in (row.name, *row.aliases)]
    assert len(names) == len(set(names))


def test_docs_are_fresh():
    page = Path(__file__).parent.parent / "docs" / "settings.md"
    assert page.read_text() == setting_docs.page(), "python -m minikv.setting_docs > docs/settings.md"


@pytest.mark.parametrize(
    "name, text, value, shown",
    [
        ("port", "0", 0, "0"),
        ("hz", "1000", 500, "500"),
        ("hz", "0", 1, "1"),
        ("slowlog-log-slower-than", "-1", -1, "-1"),
        ("protected-mode", "NO", False, "no"),
        ("maxmemory", "100", 100, "100"),
        ("maxmemory", "1b", 1, "1"),
        ("maxmemory", "1k", 1000, "1000"),
        ("maxmemory", "1KB", 1024, "1024"),
        ("maxmemory", "2m", 2_000_000, "2000000"),
        ("maxmemory", "2Mb", 2 << 20, "2097152"),
        ("maxmemory", "3g", 3_000_000_000, "3000000000"),
        ("maxmemory", "3GB", 3 << 30, "3221225472"),
        ("maxmemory-clients", "5%", -5, "5%"),
        ("maxmemory-clients", "1mb", 1 << 20, "1048576"),
        ("maxmemory-policy", "AllKeys-LRU", "allkeys-lru", "allkeys-lru"),
        ("unixsocketperm", "700", 0o700, "700"),
        ("requirepass", "a b", "a b", "a b"),
        ("bind", "", (), ""),
        ("bind", "127.0.0.1 -::1", ("127.0.0.1", "-::1"), "127.0.0.1 -::1"),
        ("save", "", (), ""),
        ("save", "1 2 3 4", (SavePoint(1, 2), SavePoint(3, 4)), "1 2 3 4"),
        ("shutdown-on-sigint", "now save", ("save", "now"), "save now"),
        ("shutdown-on-sigint", "default", (), "default"),
        ("latency-tracking-info-percentiles", "50 99.9999 1e1", (50.0, 99.9999, 10.0), "50 99.9999 10"),
        ("notify-keyspace-events", "KEA", "AKE", "AKE"),
        ("notify-keyspace-events", "glx$K", "g$lxK", "g$lxK"),
        ("notify-keyspace-events", "g$lshzxetdKEm", "AKEm", "AKEm"),
        ("notify-keyspace-events", "nKx", "xnK", "xnK"),
        ("notify-keyspace-events", "conE", "nocE", "nocE"),
        ("notify-keyspace-events", "KmcAn", "AncKm", "AKm"),
        ("notify-keyspace-events", "g$lshzxetdoK", "AoK", "AK"),
        ("oom-score-adj-values", "0 1 -2", (0, 1, -2), "0 1 -2"),
    ],
)
def test_values(settings, name, text, value, shown):
    settings.load([(name, text)])
    assert settings[name] == value
    assert type(settings[name]) is type(value)
    assert settings.text(name) == shown


INTEGER = "argument couldn't be parsed into an integer"
MEMORY = "argument must be a memory value"


@pytest.mark.parametrize(
    "name, text, reason",
    [
        *(("hz", text, INTEGER) for text in ("abc", "", "010", "+1", " 1", "1kb", "9" * 20)),
        *(("maxmemory", text, MEMORY) for text in ("abc", "", "-1", "1t", "1.5gb", " 1", "10%", "kb")),
        ("port", "70000", "argument must be between 0 and 65535 inclusive"),
        ("timeout", "-1", "argument must be between 0 and 2147483647 inclusive"),
        ("slowlog-log-slower-than", "-2", "argument must be between -1 and 9223372036854775807 inclusive"),
        ("proto-max-bulk-len", "1", "argument must be between 1048576 and 9223372036854775807 inclusive"),
        ("tracking-table-max-keys", "-1", "argument must be greater or equal to 0"),
        ("maxmemory-clients", "101%", "percentage argument must be less or equal to 100"),
        ("maxmemory-clients", "abc", "argument must be a memory or percent value"),
        ("protected-mode", "maybe", "argument must be 'yes' or 'no'"),
        ("appendfsync", "x", "argument(s) must be one of the following: everysec, always, no"),
        ("cluster-enabled", "yes", "argument(s) must be one of the following: no"),
        ("shutdown-on-sigint", "now x",
         "argument(s) must be one of the following: default, save, nosave, now, force"),
        ("unixsocketperm", "9", INTEGER),
        ("unixsocketperm", "1000", "argument must be between 0 and 777 inclusive"),
        ("dbfilename", "a/b", "argument can't be a path, just a filename"),
        ("dir", "/nonexistent", "No such file or directory"),
        *(("save", text, "Invalid save parameters") for text in ("x", "1", "1 2 3", "0 2", "1 -2")),
        *(("client-output-buffer-limit", text,
           "Wrong number of arguments in buffer limit configuration.") for text in ("", "normal 0 0")),
        ("client-output-buffer-limit", "master 0 0 0",
         "Invalid client class specified in buffer limit configuration."),
        ("client-output-buffer-limit", "normal 1mb 0 -1",
         "Error in hard, soft or soft_seconds setting in buffer limit configuration."),
        ("notify-keyspace-events", "KEAQ", "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."),
        ("latency-tracking-info-percentiles", "50 101",
         "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"),
        ("latency-tracking-info-percentiles", "nan",
         "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"),
        ("latency-tracking-info-percentiles", "x", "Invalid latency-tracking-info-percentiles parameters"),
        ("oom-score-adj-values", "1", "wrong number of arguments"),
    ],
)  # fmt: skip
def test_bad_values(settings, name, text, reason):
    before = settings[name]
    with pytest.raises(SettingError) as caught:
        settings.load([(name, text)])
    assert (caught.value.name, caught.value.reason) == (name, reason)
    assert settings[name] == before


@pytest.mark.parametrize("words", [(), ("1", "2")])
def test_load_wrong_count(settings, words):
    with pytest.raises(SettingError, match="wrong number of arguments"):
        settings.load([("hz", words)])


def test_unknown_name(settings):
    for use in (settings.text, settings.__getitem__, find, lambda name: settings.load([(name, "1")])):
        with pytest.raises(UnknownSetting) as caught:
            use("nope")
        assert caught.value.name == "nope"
    assert issubclass(UnknownSetting, MinikvError)


def test_repeated_lines(settings):
    settings.load([("save", ("1", "2")), ("save", ("3", "4"))])
    assert settings.text("save") == "1 2 3 4"
    settings.load([("save", ("",)), ("save", ("5", "6"))])
    assert settings.text("save") == "5 6"
    settings.load([("save", ())])
    assert settings.text("save") == "5 6"
    settings.load([("bind", ("1.1.1.1",)), ("bind", ("2.2.2.2", "::1"))])
    assert settings["bind"] == ("2.2.2.2", "::1")
    settings.load([("client-output-buffer-limit", ("replica", "1kb", "2", "3"))])
    assert settings["client-output-buffer-limit"]["slave"] == OutputLimit(1024, 2, 3)
    assert settings.text("client-output-buffer-limit") == (
        "normal 0 0 0 slave 1024 2 3 pubsub 33554432 8388608 60"
    )


@pytest.mark.parametrize(
    "lines, shown",
    [
        ([()], ""),
        ([("",)], ""),
        ([('""',)], ""),
        ([("1 2",)], "1 2"),
        ([("1 '2'",)], "1 2"),
        ([("1", "2"), ()], "1 2"),
        ([(), ("1", "2")], "1 2"),
        ([("1", "2"), ("",)], ""),
    ],
)
def test_lines_of_save(settings, lines, shown):
    settings.load(("save", words) for words in lines)
    assert settings.text("save") == shown


@pytest.mark.parametrize("words", [("1", "1", ""), ("", ""), ("1 1", "2 2"), ("1", "1 1")])
def test_words_of_save_are_not_split_again(settings, words):
    with pytest.raises(SettingError, match="Invalid save parameters"):
        settings.load([("save", words)])


def test_python_values():
    settings = Settings(port=0, protected_mode=False, bind=["127.0.0.1", "::1"], save="", maxmemory="1mb")
    assert (settings["port"], settings["protected-mode"]) == (0, False)
    assert settings["bind"] == ("127.0.0.1", "::1")
    assert (settings["save"], settings["maxmemory"]) == ((), 1 << 20)


@pytest.mark.parametrize("value", [None, 1.5, b"1", [1], {"a": "b"}])
def test_python_values_of_other_types(value):
    with pytest.raises(TypeError, match=r"^hz is a str, bool, int or a list of str, not"):
        Settings(hz=value)


def test_stock_configuration_loads(settings):
    settings.load((line.words[0], line.words[1:]) for line in conf.read_text(STOCK_CONFIGURATION, "stock"))
    assert settings["replicaof"] == ("no", "one")


def test_dir_is_absolute(settings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    settings = Settings()
    assert settings["dir"] == str(tmp_path)
    settings.load([("dir", "sub")])
    assert settings["dir"] == str(tmp_path / "sub")


def test_matching(settings):
    assert settings.matching(["hz"]) == {"hz": "10"}
    assert settings.matching(["HZ"]) == {"HZ": "10"}
    assert settings.matching(["[h]Z", "hz", "nope"]) == {"hz": "10"}
    assert settings.matching(["hash-max-*p*-ENTRIES"]) == {
        "hash-max-listpack-entries": "512",
        "hash-max-ziplist-entries": "512",
    }
    assert settings.matching(["[^a-z]*"]) == {}
    shown = [row for row in ROWS if Access.HIDDEN not in row.access]
    assert len(settings.matching(["*"])) == sum(1 + len(row.aliases) for row in shown)


def test_hidden_settings(settings):
    assert "key-load-delay" not in settings.matching(["*", "key-*"])
    assert settings.matching(["KEY-load-delay"]) == {"KEY-load-delay": "0"}
    settings.set([("key-load-delay", "-50")])
    assert settings.text("key-load-delay") == "-50"


def test_set_applies_all(settings):
    settings.set([("HZ", "20"), ("maxmemory", "1kb"), ("hash-max-ziplist-entries", "5")])
    assert settings.matching(["hz", "maxmemory", "hash-max-listpack-entries"]) == {
        "hz": "20",
        "maxmemory": "1024",
        "hash-max-listpack-entries": "5",
    }
    settings.set([("save", "1 2")])
    settings.set([("save", "3 4")])
    assert settings.text("save") == "3 4"


@pytest.mark.parametrize(
    "pairs, name, reason",
    [
        ([("port", "abc")], "port", INTEGER),
        ([("databases", "16")], "databases", "can't set immutable config"),
        ([("dir", "/")], "dir", "can't set protected config"),
        ([("timeout", "1"), ("TIMEOUT", "2")], "TIMEOUT", "duplicate parameter"),
        ([("timeout", "abc"), ("databases", "1")], "databases", "can't set immutable config"),
    ],
)
def test_set_refuses_all(settings, pairs, name, reason):
    told = []
    settings.subscribe(["hz"], lambda *args: told.append(args))
    with pytest.raises(SettingError) as caught:
        settings.set([("hz", "20"), *pairs])
    assert (caught.value.name, caught.value.reason) == (name, reason)
    assert (settings["hz"], told) == (10, [])


def test_set_unknown(settings):
    with pytest.raises(UnknownSetting):
        settings.set([("hz", "20"), ("nope", "1")])
    assert settings["hz"] == 10


@pytest.mark.parametrize(
    "allowed, local, works",
    [("no", True, False), ("local", True, True), ("local", False, False), ("yes", False, True)],
)
def test_protected_settings(settings, allowed, local, works):
    settings.load([("enable-protected-configs", allowed)])
    if works:
        settings.set([("dbfilename", "x.rdb")], local)
    else:
        with pytest.raises(SettingError):
            settings.set([("dbfilename", "x.rdb")], local)


def test_subscribers_see_changes_only(settings):
    told = []
    settings.subscribe(["hz", "timeout", "hash-max-ziplist-entries"], lambda *change: told.append(change))
    settings.set([("hz", "10"), ("timeout", "5"), ("hash-max-ziplist-entries", "7")])
    assert told == [("timeout", 5), ("hash-max-listpack-entries", 7)]


def test_a_subscriber_may_refuse(settings):
    told = []

    def refuse(name, value):
        assert settings["timeout"] == 5 or value == 6379
        if value != 6379:
            raise SettingError(name, "port is taken")

    settings.subscribe(["timeout"], lambda name, value: told.append(value))
    settings.subscribe(["port"], refuse)
    with pytest.raises(SettingError, match="port is taken"):
        settings.set([("timeout", "5"), ("port", "1"), ("hz", "20")])
    assert (settings["timeout"], settings["port"], settings["hz"]) == (0, 6379, 10)
    assert told == [5, 0]


def test_idle_names_what_does_nothing(settings):
    assert settings.idle() == []
    settings.load([("appendonly", "yes"), ("hz", "20")])
    assert [name for name, _ in settings.idle()] == ["appendonly"]
    assert settings.idle(["hz"]) == []


def test_sensitive_settings():
    sensitive = {row.name for row in ROWS if Access.SENSITIVE in row.access}
    assert sensitive == {"requirepass", "masterauth", "masteruser"}


def rewritten(path, text, changes):
    """Load a file, change settings, rewrite it; returns the new text."""
    path.write_text(text, "utf-8", "surrogateescape")
    settings = Settings()
    settings.path = str(path)
    settings.load((line.words[0], line.words[1:]) for line in conf.read_file(str(path)))
    settings.set(changes)
    settings.rewrite()
    again = Settings()
    again.load((line.words[0], line.words[1:]) for line in conf.read_file(str(path)))
    assert again.matching(["*"]) == settings.matching(["*"])
    return path.read_text("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    "text, changes, expected",
    [
        ("", [], ""),
        ("# note\n\n  port   7  \n", [], "# note\n\n  port   7  \n"),
        ("# note\nHZ 7\n# end", [("hz", "8")], "# note\nhz 8\n# end\n"),
        ("maxmemory 1024mb\n", [("hz", "8")], "maxmemory 1024mb\n# Generated by CONFIG REWRITE\nhz 8\n"),
        ("maxmemory 1gb\n", [("maxmemory", "2147483648")], "maxmemory 2gb\n"),
        ("hz 7\n", [("hz", "10")], "hz 10\n"),
        ("hz 7\n#\nhz 8\n", [("hz", "9")], "hz 9\n#\n"),
        ("save 1 1\n#\nsave 2 2\n", [("save", "3 3")], "save 3 3\n#\n"),
        ("save 1 1\n#\n", [("save", "2 2 3 3")], "save 2 2\nsave 3 3\n#\n"),
        ("save 1 1\n", [("save", "")], 'save ""\n'),
        ("zset-max-ziplist-value 5\n", [("zset-max-ziplist-value", "6")], "zset-max-listpack-value 6\n"),
        ("", [("requirepass", "a b\udcff")],
         '# Generated by CONFIG REWRITE\nrequirepass "a b\\xff"\n'),
        ("# \udcff\n", [("notify-keyspace-events", "KEx$")],
         "# \udcff\n# Generated by CONFIG REWRITE\nnotify-keyspace-events x$KE\n".replace("x$", "$x")),
        ("", [("notify-keyspace-events", "KAn")],
         "# Generated by CONFIG REWRITE\nnotify-keyspace-events AnK\n"),
        ("client-output-buffer-limit normal 1mb 1mb 10\n", [("client-output-buffer-limit", "pubsub 1 2 3")],
         "client-output-buffer-limit normal 1mb 1mb 10\n"
         "client-output-buffer-limit slave 256mb 64mb 60\n"
         "client-output-buffer-limit pubsub 1 2 3\n"),
    ],
)  # fmt: skip
def test_rewrite(tmp_path, text, changes, expected):
    path = tmp_path / "a.conf"
    assert rewritten(path, text, changes) == expected
    assert os.listdir(tmp_path) == ["a.conf"]


def test_rewrite_twice_adds_one_mark(tmp_path):
    path = tmp_path / "a.conf"
    text = rewritten(path, "port 1\n", [("hz", "8")])
    assert rewritten(path, text, [("timeout", "9")]) == text + "timeout 9\n"


def test_rewrite_keeps_includes_and_repairs_bad_lines(tmp_path):
    (tmp_path / "b.conf").write_text("")
    path = tmp_path / "a.conf"
    path.write_text("")
    settings = Settings()
    settings.path = str(path)
    path.write_text(f'include {tmp_path}/b.conf\nrename-command X ""\nhz abc\nbad "quote\n')
    settings.rewrite()
    assert path.read_text() == f'include {tmp_path}/b.conf\nrename-command X ""\nhz 10\nbad "quote\n'


def test_rewrite_keeps_the_mode_and_makes_a_missing_file(tmp_path):
    path = tmp_path / "a.conf"
    settings = Settings(hz=8)
    settings.path = str(path)
    settings.rewrite()
    assert path.stat().st_mode & 0o777 == 0o644
    path.chmod(0o600)
    settings.rewrite()
    assert path.stat().st_mode & 0o777 == 0o600


def test_rewrite_needs_a_file(settings, tmp_path):
    with pytest.raises(SettingError, match="The server is running without a config file"):
        settings.rewrite()
    settings.path = str(tmp_path / "none" / "a.conf")
    with pytest.raises(OSError):
        settings.rewrite()
