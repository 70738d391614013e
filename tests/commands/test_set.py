"""Sets: every command, in each form."""

import random

import pytest

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
SYNTAX = "ERR syntax error"
NO_INT = "ERR value is not an integer or out of range"
NOT_POSITIVE = "ERR value is out of range, must be positive"
LIMITS = {"set-max-intset-entries": 512, "set-max-listpack-entries": 128, "set-max-listpack-value": 64}

FORMS = {  # members that make a set of this encoding
    "intset": [1, 2, 3, 70000, -5, 2**40],
    "listpack": [b"a", b"b", b"cc", 7, b"", b"\x00\xff", 2**40],
    "hashtable": [b"a", b"b", b"", 7, b"x" * 65, b"y" * 300, *(b"m%d" % i for i in range(150))],
}


@pytest.fixture(autouse=True)
def default_limits(client):
    yield
    limit(client)


def limit(client, **settings):
    """Set thresholds, the others to what they are by default."""
    wanted = LIMITS | {name.replace("_", "-"): value for name, value in settings.items()}
    client.cmd("CONFIG", "SET", *[word for pair in wanted.items() for word in pair])


def text(member):
    return member if isinstance(member, bytes) else str(member).encode()


def make(client, key, members):
    client.cmd("DEL", key)
    for start in range(0, len(members), 10):  # so that no command adds too many for a small form
        client.cmd("SADD", key, *members[start : start + 10])
    return {text(m) for m in members}


@pytest.fixture(params=FORMS)
def form(request):
    return request.param


@pytest.fixture
def members(client, form):
    """A set "s" of each form."""
    members = make(client, "s", FORMS[form])
    assert encoding(client, "s") == form
    return members


def encoding(client, key):
    reply = client.cmd("OBJECT", "ENCODING", key)
    return reply and reply.decode()


def error(client, *words):
    reply = client.cmd(*words)
    assert isinstance(reply, Exception), reply
    return str(reply)


def content(client, key):
    """The members of a set, each of which must come once."""
    reply = client.cmd("SMEMBERS", key)
    assert type(reply) is (set if client.protocol == 3 else list)
    assert len(set(reply)) == len(reply) == client.cmd("SCARD", key)
    return set(reply)


# ---------------------------------------------------------------- members


def test_members(client, members):
    assert content(client, "s") == members
    for member in members:
        assert client.cmd("SISMEMBER", "s", member) == 1
        assert client.cmd("SADD", "s", member) == 0
    for member in [b"nope", 123456, 2**50, b"01", b"+1", b"1 ", b"-0", b"x" * 66]:
        assert client.cmd("SISMEMBER", "s", member) == 0
    asked = [b"nope", *members, 99]
    assert client.cmd("SMISMEMBER", "s", *asked) == [0, *[1] * len(members), 0]
    assert client.cmd("TYPE", "s") == b"set"


def test_add_and_remove_all(client, members, form):
    for member in [8, 2**62, -(2**63), b"new", b"z" * 70]:
        assert client.cmd("SADD", "s", member, member) == 1
        members.add(text(member))
        assert content(client, "s") == members
    for member in list(members):
        assert client.cmd("SREM", "s", member, b"nope", member) == 1
        members.discard(member)
        assert content(client, "s") == members
    assert client.cmd("EXISTS", "s") == 0


def test_remove_many(client, members):
    assert client.cmd("SREM", "s", b"nope", *members, *members) == len(members)
    assert client.cmd("EXISTS", "s") == 0
    assert client.cmd("SREM", "s", 1) == 0


def test_missing_set(client):
    assert content(client, "no") == set()
    assert client.cmd("SISMEMBER", "no", 1) == 0
    assert client.cmd("SMISMEMBER", "no", 1, 2) == [0, 0]
    assert client.cmd("SPOP", "no") is None
    assert client.cmd("SRANDMEMBER", "no") is None
    assert list(client.cmd("SPOP", "no", 3)) == []
    assert client.cmd("SRANDMEMBER", "no", 3) == []
    assert client.cmd("SRANDMEMBER", "no", -3) == []
    assert client.cmd("SSCAN", "no", 0) == [b"0", []]


def test_wrong_type(client):
    client.cmd("SET", "str", 1)
    client.cmd("SADD", "s", 1)
    for words in [
        ("SADD", "str", 1),
        ("SREM", "str", 1),
        ("SCARD", "str"),
        ("SISMEMBER", "str", 1),
        ("SMISMEMBER", "str", 1),
        ("SMEMBERS", "str"),
        ("SPOP", "str"),
        ("SPOP", "str", 1),
        ("SRANDMEMBER", "str"),
        ("SRANDMEMBER", "str", 1),
        ("SMOVE", "str", "s", 1),
        ("SMOVE", "s", "str", 1),
        ("SSCAN", "str", 0),
        ("SINTER", "no", "str"),
        ("SINTERCARD", 2, "no", "str"),
        ("SUNION", "str", "no"),
        ("SDIFF", "no", "str"),
        ("SINTERSTORE", "d", "s", "str"),
        ("SUNIONSTORE", "d", "s", "str"),
        ("SDIFFSTORE", "d", "s", "str"),
    ]:
        assert error(client, *words) == WRONG_TYPE
    assert client.cmd("GET", "str") == b"1"
    assert client.cmd("EXISTS", "d") == 0


@pytest.mark.parametrize("seed", range(4))
def test_against_a_model(client, seed):
    """Long runs of everything on a few sets that grow and shrink through all forms."""
    rng = random.Random(seed)
    limit(
        client,
        set_max_intset_entries=rng.choice([0, 8, 512]),
        set_max_listpack_entries=rng.choice([0, 16, 128]),
    )
    model = {key: set() for key in "abc"}
    for _ in range(400):
        key, other, third = rng.sample("abc", 3)
        mine = model[key]
        spread = rng.choice([6, 60, 600])
        words = [
            rng.choice([b"%d", b"x%d", b"member-%d"]) % rng.randrange(spread)
            for _ in range(rng.choice([1, 5, 50]))
        ]
        match rng.randrange(9):
            case 0 | 1 | 2:
                assert client.cmd("SADD", key, *words) == len(set(words) - mine)
                mine |= set(words)
            case 3:
                assert client.cmd("SREM", key, *words) == len(set(words) & mine)
                mine -= set(words)
            case 4:
                n = rng.choice([0, 1, 3, rng.randrange(len(mine) + 2)])
                popped = client.cmd("SPOP", key, n)
                assert len(set(popped)) == len(popped) == min(n, len(mine))
                assert set(popped) <= mine
                mine -= set(popped)
            case 5:
                assert client.cmd("SMOVE", key, other, words[0]) == (words[0] in mine)
                if words[0] in mine:
                    mine.discard(words[0])
                    model[other].add(words[0])
            case 6:
                result = {
                    "SINTER": mine & model[other],
                    "SUNION": mine | model[other],
                    "SDIFF": mine - model[other],
                }
                for name, expected in result.items():
                    reply = client.cmd(name, key, other)
                    assert len(reply) == len(expected)
                    assert set(reply) == expected
                assert client.cmd("SINTERCARD", 2, key, other) == len(mine & model[other])
            case 7:
                name, expected = rng.choice(
                    [
                        ("SINTERSTORE", mine & model[other]),
                        ("SUNIONSTORE", mine | model[other]),
                        ("SDIFFSTORE", mine - model[other]),
                    ]
                )
                target = rng.choice([third, key])
                assert client.cmd(name, target, key, other) == len(expected)
                model[target] = expected
            case 8:
                n = rng.choice([1, 2, rng.randrange(len(mine) + 2)])
                drawn = client.cmd("SRANDMEMBER", key, n)
                assert len(set(drawn)) == len(drawn) == min(n, len(mine))
                assert set(drawn) <= mine
        for key, expected in model.items():
            assert content(client, key) == expected


# ---------------------------------------------------------------- forms


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([1], "intset"),
        (range(512), "intset"),
        (range(513), "hashtable"),
        ([1, b"a"], "listpack"),
        ([b"a", 1], "listpack"),
        ([b"a"] * 129, "hashtable"),
        ([b"a", *range(127)], "listpack"),
        ([b"a", *range(128)], "hashtable"),
        ([*range(128), b"a"], "hashtable"),
        ([b"x" * 64], "listpack"),
        ([b"x" * 65], "hashtable"),
        ([1, b"x" * 65], "hashtable"),
        ([b"01"], "listpack"),
        ([b"9223372036854775808"], "listpack"),
        ([b"9223372036854775807", b"-9223372036854775808"], "intset"),
    ],
)
def test_form_of_a_new_set(client, words, expected):
    words = list(words)
    assert client.cmd("SADD", "s", *words) == len(set(words))
    assert encoding(client, "s") == expected
    assert content(client, "s") == {text(w) for w in words}


def test_forms_while_a_set_grows(client):
    limit(client, set_max_intset_entries=4, set_max_listpack_entries=6, set_max_listpack_value=5)
    for n in range(1, 5):
        client.cmd("SADD", "i", n)
        client.cmd("SADD", "p", n)
        assert encoding(client, "i") == "intset"
    client.cmd("SADD", "i", 5)
    assert encoding(client, "i") == "hashtable"
    client.cmd("SREM", "i", 1, 2, 3, 4)
    assert encoding(client, "i") == "hashtable"
    client.cmd("SADD", "p", "abcde")
    assert encoding(client, "p") == "listpack"
    client.cmd("SADD", "p", 123456)  # longer than five characters
    assert encoding(client, "p") == "hashtable"
    client.cmd("SADD", "q", 123456)
    client.cmd("SADD", "q", "a")
    assert encoding(client, "q") == "hashtable"
    client.cmd("SADD", "r", "a", "b", "c", "d", "e", "f")
    assert encoding(client, "r") == "listpack"
    client.cmd("SADD", "r", "f")
    assert encoding(client, "r") == "listpack"
    client.cmd("SADD", "r", "g")
    assert encoding(client, "r") == "hashtable"
    client.cmd("SADD", "t", "a")
    client.cmd("SADD", "t", *["a"] * 7)
    assert encoding(client, "t") == "hashtable"


@pytest.mark.parametrize("lesser", [0, -1])
def test_integers_widen(client, lesser):
    numbers = []
    for number in [1, 5, 2**15, 6, -(2**15) - 1, 2**31, -(2**31) - 1, 2**63 - 1, -(2**63), 2]:
        number = ~number if lesser else number
        client.cmd("SADD", "s", number)
        numbers.append(number)
        assert encoding(client, "s") == "intset"
        assert content(client, "s") == {text(n) for n in numbers}


def test_a_set_keeps_its_expiry(client):
    client.cmd("SADD", "s", 1, 2)
    client.cmd("EXPIRE", "s", 1000)
    for words in [("SADD", "s", "a"), ("SADD", "s", "x" * 100), ("SREM", "s", 1), ("SPOP", "s", 2)]:
        client.cmd(*words)
        assert client.cmd("TTL", "s") > 990


@pytest.mark.parametrize("left", [1, 100, 129])
def test_what_spop_leaves(client, left):
    members = make(client, "s", [b"m%d" % i for i in range(2000)])
    client.cmd("EXPIRE", "s", 1000)
    popped = client.cmd("SPOP", "s", 2000 - left)
    assert len(set(popped)) == 2000 - left
    assert content(client, "s") == members - set(popped)
    assert encoding(client, "s") == ("listpack" if left <= 128 else "hashtable")
    assert client.cmd("TTL", "s") > 990
    members = make(client, "i", list(range(300)))
    assert len(client.cmd("SPOP", "i", 299)) == 299
    assert encoding(client, "i") == "intset"


def test_copy_rename_and_memory(client, members, form):
    client.cmd("COPY", "s", "copy")
    assert content(client, "copy") == members
    assert encoding(client, "copy") == form
    client.cmd("SADD", "copy", "another")
    assert content(client, "s") == members
    client.cmd("RENAME", "s", "t")
    assert content(client, "t") == members
    assert client.cmd("MEMORY", "USAGE", "t") > sum(map(len, members)) // 2
    client.cmd("DEL", "t")
    assert content(client, "copy") == members | {b"another"}


# ---------------------------------------------------------------- SPOP, SRANDMEMBER


def test_spop_one_by_one(client, members):
    popped = [client.cmd("SPOP", "s") for _ in range(len(members))]
    assert len(popped) == len(members)
    assert set(popped) == members
    assert client.cmd("SPOP", "s") is None
    assert client.cmd("EXISTS", "s") == 0


@pytest.mark.parametrize("share", [0, 0.02, 0.3, 0.9, 1, 2])
def test_spop_count(client, members, share):
    n = int(len(members) * share)
    popped = client.cmd("SPOP", "s", n)
    assert type(popped) is (set if client.protocol == 3 else list)
    assert len(set(popped)) == min(n, len(members))
    assert content(client, "s") == members - set(popped)


def test_spop_of_many(client):
    members = make(client, "s", list(range(1000)) + [b"a%d" % i for i in range(5000)])
    while members:
        n = random.randrange(1, 1200)
        popped = set(client.cmd("SPOP", "s", n))
        assert len(popped) == min(n, len(members))
        assert popped <= members
        members -= popped
        assert content(client, "s") == members


@pytest.mark.parametrize("count", [0, 1, 2, 5, 100, 1000])
def test_srandmember_distinct(client, members, count):
    drawn = client.cmd("SRANDMEMBER", "s", count)
    assert type(drawn) is list
    assert len(set(drawn)) == len(drawn) == min(count, len(members))
    assert set(drawn) <= members
    assert content(client, "s") == members


@pytest.mark.parametrize("count", [1, 5, 100, 1000])
def test_srandmember_repeated(client, members, count):
    drawn = client.cmd("SRANDMEMBER", "s", -count)
    assert type(drawn) is list
    assert len(drawn) == count
    assert set(drawn) <= members
    assert client.cmd("SRANDMEMBER", "s") in members


def test_srandmember_of_few_in_many(client):
    members = make(client, "s", [b"m%d" % i for i in range(3000)])
    for count in [1, 10, 300, 374, 375, 376, 2999]:
        drawn = client.cmd("SRANDMEMBER", "s", count)
        assert len(set(drawn)) == len(drawn) == count
        assert set(drawn) <= members


def chi_square(counts, expected):
    return sum((n - expected) ** 2 / expected for n in counts)


@pytest.mark.parametrize("size", [40, 300])
@pytest.mark.parametrize("kind", [b"%d", b"m%d"])
@pytest.mark.parametrize("how", ["one", "repeated", "few", "half", "most"])
def test_choice_is_fair(client, size, kind, how):
    """Each member is drawn equally often: by chance, chi-square exceeds its bound once in 10**9 runs."""
    members = make(client, "s", [kind % i for i in range(size)])
    counts = dict.fromkeys(members, 0)
    share = {"one": 1, "repeated": 50, "few": max(1, size // 20), "half": size // 2, "most": size - 2}[how]
    rounds = max(1, size * 60 // share)
    for _ in range(rounds):
        if how == "one":
            counts[client.cmd("SRANDMEMBER", "s")] += 1
            continue
        for member in client.cmd("SRANDMEMBER", "s", -share if how == "repeated" else share):
            counts[member] += 1
    freedom = size - 1
    bound = freedom + 6 * (2 * freedom) ** 0.5 + 24  # draws without repetition vary less
    assert chi_square(counts.values(), rounds * share / size) < bound


@pytest.mark.parametrize("kind", [b"%d", b"m%d"])
@pytest.mark.parametrize("size", [12, 200])
@pytest.mark.parametrize("count", [None, 1, 3])
def test_pops_are_fair(client, size, kind, count):
    members = make(client, "all", [kind % i for i in range(size)])
    counts = dict.fromkeys(members, 0)
    rounds = size * 20 // (count or 1)
    for _ in range(rounds):
        client.cmd("COPY", "all", "s", "REPLACE")
        for member in client.cmd("SPOP", "s", count) if count else [client.cmd("SPOP", "s")]:
            counts[member] += 1
    freedom = size - 1
    assert chi_square(counts.values(), rounds * (count or 1) / size) < freedom + 6 * (2 * freedom) ** 0.5 + 24


@pytest.mark.parametrize("count", ["x", "", "1.0", 2**63, "-9223372036854775809"])
def test_count_errors(client, count):
    client.cmd("SADD", "s", 1)
    assert error(client, "SPOP", "s", count) == NOT_POSITIVE
    assert error(client, "SRANDMEMBER", "s", count) == NO_INT


def test_more_count_errors(client):
    assert error(client, "SPOP", "s", -1) == NOT_POSITIVE
    assert error(client, "SPOP", "s", 1, 2) == SYNTAX
    assert error(client, "SRANDMEMBER", "s", 1, 2) == SYNTAX
    assert error(client, "SRANDMEMBER", "s", -(2**63)) == (
        "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"
    )


# ---------------------------------------------------------------- SMOVE, SSCAN


def test_smove(client, members):
    member = next(iter(members))
    assert client.cmd("SMOVE", "s", "t", "nope") == 0
    assert client.cmd("EXISTS", "t") == 0
    assert client.cmd("SMOVE", "s", "s", member) == 1
    assert client.cmd("SMOVE", "s", "s", "nope") == 0
    for moved, member in enumerate(list(members), 1):
        assert client.cmd("SMOVE", "s", "t", member) == 1
        assert client.cmd("SCARD", "t") == moved
    assert content(client, "t") == members
    assert client.cmd("EXISTS", "s") == 0
    client.cmd("SADD", "s", member)
    assert client.cmd("SMOVE", "s", "t", member) == 1  # which has it already
    assert content(client, "t") == members
    assert client.cmd("EXISTS", "s") == 0


def scan_all(client, key, *options, between=lambda: None):
    cursor, found = b"0", []
    while True:
        cursor, some = client.cmd("SSCAN", key, cursor, *options)
        found += some
        if cursor == b"0":
            return found
        between()


@pytest.mark.parametrize("options", [(), ("COUNT", 1), ("COUNT", 1000)])
def test_sscan(client, members, options):
    found = scan_all(client, "s", *options)
    assert len(found) == len(members)
    assert set(found) == members
    wanted = {m for m in members if m.startswith(b"m1") or m.startswith(b"7")}
    assert set(scan_all(client, "s", "MATCH", "[m7]*", *options)) == {
        m for m in members if m[:1] in (b"m", b"7")
    }
    assert set(scan_all(client, "s", "MATCH", "m1*")) | set(scan_all(client, "s", "MATCH", "7*")) == wanted


def test_sscan_of_a_small_set_takes_any_cursor(client):
    client.cmd("SADD", "s", "a", 1)
    assert sorted(client.cmd("SSCAN", "s", 77, "COUNT", 1)[1]) == [b"1", b"a"]


def test_sscan_guarantee(client):
    """Members there from the first call to the last are returned, whatever comes and goes."""
    rng = random.Random(5)
    lasting = make(client, "s", [b"lasting%d" % i for i in range(300)])
    make(client, "going", [b"going%d" % i for i in range(1500)])
    client.cmd("SUNIONSTORE", "s", "s", "going")
    going = list(range(1500))
    rng.shuffle(going)

    def change():
        for _ in range(20):
            if going and rng.random() < 0.7:
                client.cmd("SREM", "s", f"going{going.pop()}")
            else:
                client.cmd("SADD", "s", f"coming{rng.randrange(10**6)}")

    assert lasting <= set(scan_all(client, "s", "COUNT", 5, between=change))


def test_sscan_errors(client):
    client.cmd("SADD", "s", 1)
    assert error(client, "SSCAN", "s", "x") == "ERR invalid cursor"
    assert error(client, "SSCAN", "no", "x") == "ERR invalid cursor"
    assert error(client, "SSCAN", "s", 0, "TYPE", "set") == SYNTAX
    assert error(client, "SSCAN", "s", 0, "COUNT", 0) == SYNTAX
    assert error(client, "SSCAN", "s", 0, "MATCH") == SYNTAX
    assert error(client, "SSCAN", "s", 0, "NOVALUES") == "ERR NOVALUES option can only be used in HSCAN"
    assert client.cmd("SSCAN", "no", 0, "BAD") == [b"0", []]  # nothing to look for: options do not matter


# ---------------------------------------------------------------- algebra


SHAPES = {
    "intset": [*range(20), 70000, 2**40],
    "small intset": [3, 70000],
    "listpack": [*range(5, 25), b"a", b"b"],
    "small listpack": [b"a", 7],
    "hashtable": [*range(200), b"a", b"x" * 70],
    "large": [*range(100, 4000), *(b"m%d" % i for i in range(200))],
    "missing": [],
}


@pytest.fixture(scope="module")
def shapes():
    return {name: {text(m) for m in members} for name, members in SHAPES.items()}


@pytest.mark.parametrize("first", SHAPES)
@pytest.mark.parametrize("second", SHAPES)
def test_two_sets(client, shapes, first, second):
    for name in {first, second}:
        make(client, name, SHAPES[name])
    one, two = shapes[first], shapes[second]
    for command, expected in [("SINTER", one & two), ("SUNION", one | two), ("SDIFF", one - two)]:
        reply = client.cmd(command, first, second)
        assert type(reply) is (set if client.protocol == 3 else list)
        assert len(reply) == len(expected)
        assert set(reply) == expected
        assert client.cmd(command + "STORE", "to", first, second) == len(expected)
        assert content(client, "to") == expected
    assert client.cmd("SINTERCARD", 2, first, second) == len(one & two)
    for limit in [0, 1, 2, 10**6]:
        expected = min(len(one & two), limit or 10**9)
        assert client.cmd("SINTERCARD", 2, first, second, "LIMIT", limit) == expected


@pytest.mark.parametrize("seed", range(30))
def test_many_sets(client, seed):
    rng = random.Random(seed)
    sets = []
    for i in range(rng.randrange(1, 9)):
        members = {
            text(rng.choice([n, b"m%d" % n])) for n in rng.choices(range(rng.choice([5, 50, 500])), k=300)
        }
        make(client, f"s{i}", list(members))
        sets.append(members)
    keys = [f"s{i}" for i in range(len(sets))]
    inter, union, diff = sets[0].copy(), sets[0].copy(), sets[0].copy()
    for other in sets[1:]:
        inter &= other
        union |= other
        diff -= other
    for command, expected in [("SINTER", inter), ("SUNION", union), ("SDIFF", diff)]:
        assert set(client.cmd(command, *keys)) == expected
    assert client.cmd("SINTERCARD", len(keys), *keys) == len(inter)


def test_difference_of_many_and_few(client):
    """The two ways of a difference: look into the others, or unite them first."""
    members = make(client, "many", [b"m%d" % i for i in range(3000)])
    taken = set()
    for i in range(20):
        taken |= make(client, f"few{i}", [b"m%d" % (i * 7 + j) for j in range(10)])
    keys = [f"few{i}" for i in range(20)]
    assert set(client.cmd("SDIFF", "many", *keys)) == members - taken
    assert set(client.cmd("SDIFF", "few3", "many")) == set()
    assert set(client.cmd("SDIFF", "few3", *keys[:3])) == {b"m28", b"m29", b"m30"} | {
        b"m%d" % i for i in range(24, 28)
    }
    assert set(client.cmd("SDIFF", "many", "many")) == set()
    assert set(client.cmd("SDIFF", "many", *keys, "many")) == set()


def test_a_set_with_itself(client, members):
    assert set(client.cmd("SINTER", "s", "s", "s")) == members
    assert set(client.cmd("SUNION", "s", "s")) == members
    assert set(client.cmd("SDIFF", "s", "s")) == set()
    assert client.cmd("SINTERSTORE", "s", "s", "s") == len(members)
    assert content(client, "s") == members
    assert client.cmd("SDIFFSTORE", "s", "s", "s") == 0
    assert client.cmd("EXISTS", "s") == 0


def test_store_replaces_what_is_there(client):
    client.cmd("SADD", "s", 1, 2)
    client.cmd("SADD", "t", 2, 3)
    for name, n in [("SINTERSTORE", 1), ("SUNIONSTORE", 3), ("SDIFFSTORE", 1)]:
        client.cmd("SET", "to", "text", "EX", 100)
        assert client.cmd(name, "to", "s", "t") == n
        assert client.cmd("TTL", "to") == -1
        assert client.cmd("SCARD", "to") == n
        assert client.cmd(name, "to", "no") == 0
        assert client.cmd("EXISTS", "to") == 0


@pytest.mark.parametrize(
    ("command", "first", "second", "expected"),
    [
        ("SINTERSTORE", range(200), range(100, 300), "intset"),
        ("SINTERSTORE", [*range(200), b"a"], [*range(10), b"b"], "intset"),
        ("SINTERSTORE", [*range(200), b"a"], [*range(100, 300), b"a"], "listpack"),
        ("SINTERSTORE", [*range(200), b"a"], [*range(300), b"a"], "hashtable"),
        ("SUNIONSTORE", range(200), range(300), "intset"),
        ("SUNIONSTORE", range(200), range(600), "hashtable"),
        ("SUNIONSTORE", range(20), [b"a"], "listpack"),
        ("SUNIONSTORE", range(20), [b"a" * 65], "hashtable"),
        ("SUNIONSTORE", range(127), [b"a"], "listpack"),
        ("SUNIONSTORE", range(128), [b"a"], "hashtable"),
        ("SDIFFSTORE", [*range(20), b"a"], [b"a"], "intset"),
        ("SDIFFSTORE", [*range(20), b"a"], [1], "listpack"),
    ],
)
def test_form_of_what_is_stored(client, command, first, second, expected):
    make(client, "s", list(first))
    make(client, "t", list(second))
    client.cmd(command, "to", "s", "t")
    assert encoding(client, "to") == expected


def test_sintercard_errors(client):
    assert error(client, "SINTERCARD", 0, "a") == "ERR numkeys should be greater than 0"
    assert error(client, "SINTERCARD", "x", "a") == "ERR numkeys should be greater than 0"
    assert error(client, "SINTERCARD", 2, "a") == "ERR Number of keys can't be greater than number of args"
    assert error(client, "SINTERCARD", 1, "a", "b") == SYNTAX
    assert error(client, "SINTERCARD", 1, "a", "LIMIT") == SYNTAX
    assert error(client, "SINTERCARD", 1, "a", "LIMIT", -1) == "ERR LIMIT can't be negative"
    assert error(client, "SINTERCARD", 1, "a", "LIMIT", "x") == "ERR LIMIT can't be negative"


# ---------------------------------------------------------------- events, watches, bytes on the wire


def test_events(client, subscriber):
    client.cmd("CONFIG", "SET", "notify-keyspace-events", "EAnoc")
    client.cmd("SADD", "big", *range(600))
    subscriber.subscribe("__keyevent@0__:*")

    def events(*words):
        client.cmd(*words)
        client.cmd("PUBLISH", "__keyevent@0__:end", "")
        told = []
        while (message := subscriber.next())[0] != b"__keyevent@0__:end":
            told.append(f"{message[0].decode().partition(':')[2]} {message[1].decode()}")
        return told

    assert events("SADD", "s", 1, 2, 3, 4) == ["new s", "sadd s"]
    assert events("SADD", "s", 1) == []
    assert events("SREM", "s", 1, 9) == ["srem s"]
    assert events("SREM", "s", 9) == []
    assert events("SMOVE", "s", "t", 2) == ["srem s", "new t", "sadd t"]
    assert events("SADD", "s", 2) == ["sadd s"]
    assert events("SMOVE", "s", "t", 2) == ["srem s"]
    assert events("SPOP", "t") == ["spop t", "del t"]
    assert events("SPOP", "s", 1) == ["spop s"]
    assert events("SPOP", "s", 5) == ["spop s", "del s"]
    assert events("SPOP", "s") == []
    assert events("SPOP", "big", 0) == []
    assert events("SPOP", "big", 599) == ["spop big"]
    assert events("SRANDMEMBER", "big") == []
    for name in ["sinterstore", "sunionstore", "sdiffstore"]:
        assert events("DEL", "to") == []
        assert events(name, "to", "big") == ["new to", f"{name} to"]
        assert events(name, "to", "big") == ["overwritten to", f"{name} to"]
        assert events("SET", "to", 1) == ["overwritten to", "type_changed to", "set to"]
        assert events(name, "to", "big") == ["overwritten to", "type_changed to", f"{name} to"]
        assert events(name, "to", "no") == ["del to"]
        assert events(name, "to", "no") == []


@pytest.mark.parametrize(
    "words",
    [
        ("SADD", "w", 99),
        ("SREM", "w", 1),
        ("SPOP", "w"),
        ("SPOP", "w", 2),
        ("SMOVE", "w", "other", 1),
        ("SMOVE", "other", "w", "x"),
        ("SUNIONSTORE", "w", "w"),
        ("SINTERSTORE", "w", "no"),
    ],
)
def test_watch_sees_changes(client, connect, words):
    other = connect()
    client.cmd("SADD", "w", 1, 2, 3)
    client.cmd("SADD", "other", "x")
    client.cmd("WATCH", "w")
    other.cmd("SADD", "w", 1)
    other.cmd("SREM", "w", 77)
    client.cmd("MULTI")
    client.cmd("SCARD", "w")
    assert client.cmd("EXEC") == [3]
    client.cmd("WATCH", "w")
    other.cmd(*words)
    client.cmd("MULTI")
    client.cmd("SCARD", "w")
    assert client.cmd("EXEC") is None


def test_bytes(client):
    def reply(*words):
        return client.raw(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))

    kind = b"*" if client.protocol == 2 else b"~"
    null = b"$-1\r\n" if client.protocol == 2 else b"_\r\n"
    assert reply(b"SADD", b"s", b"5", b"5") == b":1\r\n"
    assert reply(b"SMEMBERS", b"s") == kind + b"1\r\n$1\r\n5\r\n"
    assert reply(b"SINTER", b"s") == kind + b"1\r\n$1\r\n5\r\n"
    assert reply(b"SINTER", b"s", b"no") == kind + b"0\r\n"
    assert reply(b"SDIFF", b"no") == kind + b"0\r\n"
    assert reply(b"SRANDMEMBER", b"s", b"-2") == b"*2\r\n$1\r\n5\r\n$1\r\n5\r\n"
    assert reply(b"SRANDMEMBER", b"s", b"2") == b"*1\r\n$1\r\n5\r\n"
    assert reply(b"SMISMEMBER", b"s", b"5", b"6") == b"*2\r\n:1\r\n:0\r\n"
    assert reply(b"SSCAN", b"s", b"0") == b"*2\r\n$1\r\n0\r\n*1\r\n$1\r\n5\r\n"
    assert reply(b"SPOP", b"s", b"0") == kind + b"0\r\n"
    assert reply(b"SPOP", b"s", b"9") == kind + b"1\r\n$1\r\n5\r\n"
    assert reply(b"SPOP", b"s") == null
    assert reply(b"SRANDMEMBER", b"s") == null
    assert reply(b"SMEMBERS", b"s") == kind + b"0\r\n"


def test_pipelines(client):
    """Like commands behind each other ask ahead for each other's members."""
    members = [b"m%d" % i for i in range(1000)]
    assert client.raw(
        b"".join(b"*3\r\n$4\r\nSADD\r\n$1\r\ns\r\n$%d\r\n%s\r\n" % (len(m), m) for m in members)
    ) == (b":1\r\n" * 1000)
    ask = b"".join(b"*3\r\n$9\r\nSISMEMBER\r\n$1\r\ns\r\n$%d\r\n%s\r\n" % (len(m), m) for m in members)
    assert client.raw(ask) == b":1\r\n" * 1000
    mixed = b"*3\r\n$4\r\nSREM\r\n$1\r\ns\r\n$2\r\nm1\r\n*2\r\n$5\r\nSCARD\r\n$1\r\ns\r\n"
    assert client.raw(mixed + b"*3\r\n$4\r\nSREM\r\n$1\r\ns\r\n$2\r\nm1\r\n") == b":1\r\n:999\r\n:0\r\n"
    assert client.raw(b"".join(b"*2\r\n$4\r\nSPOP\r\n$1\r\ns\r\n" for _ in range(1000))).count(b"$") >= 999
    assert client.cmd("EXISTS", "s") == 0
