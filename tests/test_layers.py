"""A module of the engine imports from its own layer or from lower ones (docs/design.md, Layers)."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CORE = ROOT / "ext/minikv_core"
LAYERS = (
    "types memory clock sockets wake threads mailbox linked",
    "hash arena undo numbers glob xxh3 histogram crc64 bitwords sketch",
    "entry member table btree intset",
    "output reply parser decode packed listblocks rdb rdbpacked",
    "engine board keyspace timing lazyfree eviction",
    "registry session worker cron peer acceptor lingering datagram uring accept_thread connection_actor",
    "expiretime keygroup ahead t_string t_string_lcs generic expire scan "
    "pubsub watch transaction monitor connection blocking tracking "
    "t_list t_list_commands t_list_move t_hash t_hash_commands t_hash_expire "
    "t_set t_set_algebra t_set_random "
    "t_zset t_zset_shared t_zset_element t_zset_range t_zset_pop t_zset_algebra "
    "stream stream_group t_stream t_stream_read t_stream_groups t_stream_info "
    "bitmap bitfield hyperloglog geo geohash sort "
    "stream_dump rdbsave rdbload dump",
    "pycommand handle places inspection reactor commandflags sessionhandle tablehandle pysession",
    "undocheck watched io_epoll io_poll io_select io_spin io_uring proactor io_blocking io_actor "
    "blockingworker io_thread io_reactors loadconn loadgen",
)
LAYER = {name: number for number, names in enumerate(LAYERS) for name in names.split()}
MODULES = sorted({path.stem for path in CORE.glob("*.p[yx][xd]")} - {"__init__"})


def imports_of(name):
    """Engine modules that a module cimports."""
    found = set()
    for path in (CORE / f"{name}.pxd", CORE / f"{name}.pyx"):
        if path.exists():
            found |= set(re.findall(r"^\s*from minikv_core\.(\w+) cimport", path.read_text(), re.M))
    return found - {name}


@pytest.mark.parametrize("name", MODULES)
def test_imports_go_down(name):
    above = {other for other in imports_of(name) if LAYER[other] > LAYER[name]}
    assert not above, f"{name} is in layer {LAYER[name] + 1} and imports {above}"


def test_the_tour_names_every_module():
    named = re.findall(r"`(\w+)(?:\.pxd)?(…?)`", (ROOT / "README.md").read_text())
    modules = {name for name, rest in named if not rest}
    families = tuple(name for name, rest in named if rest)
    assert not [name for name in MODULES if name not in modules and not name.startswith(families)]
