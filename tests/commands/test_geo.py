"""Geo: points added, told, searched and stored; in packed and large sorted sets, in both protocols."""

import math
import random

import pytest

EARTH = 6372797.560856
SYNTAX = "ERR syntax error"
WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
NOT_FLOAT = "ERR value is not a valid float"
UNITS = {"m": 1, "km": 1000, "ft": 0.3048, "mi": 1609.34}
SICILY = ("13.361389", "38.115556", "Palermo", "15.087269", "37.502669", "Catania")


@pytest.fixture
def run(client):
    """Runs a command; an error is its text."""

    def run(*words):
        reply = client.cmd(*words)
        return str(reply) if isinstance(reply, Exception) else reply

    return run


@pytest.fixture
def sicily(run):
    run("GEOADD", "s", *SICILY)
    return run


def haversine(a, b):
    lon1, lat1, lon2, lat2 = map(math.radians, (*a, *b))
    v, u = math.sin((lon2 - lon1) / 2), math.sin((lat2 - lat1) / 2)
    return 2 * EARTH * math.asin(math.sqrt(u * u + math.cos(lat1) * math.cos(lat2) * v * v))


# ---------------------------------------------------------------- GEOADD


def test_geoadd(run):
    assert run("GEOADD", "s", *SICILY) == 2
    assert run("GEOADD", "s", *SICILY) == 0
    assert run("TYPE", "s") == b"zset"
    assert run("ZSCORE", "s", "Palermo") in (b"3479099956230698", 3479099956230698.0)
    assert run("GEOADD", "s", "CH", 13.5, 38, "Palermo", 1, 1, "new") == 2
    assert run("GEOADD", "s", "NX", 1, 1, "Palermo", 2, 2, "newer") == 1
    assert run("GEOADD", "s", "XX", "CH", 13, 38, "Palermo", 1, 1, "newest") == 1
    assert run("GEOADD", "none", "XX", 1, 1, "a") == 0
    assert run("EXISTS", "none") == 0


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("NX XX 1 1 a", SYNTAX),
        ("NX CH NX", SYNTAX),
        ("1 1 a 2", SYNTAX),
        ("foo 1 1 a", SYNTAX),
        ("x 1 a", NOT_FLOAT),
        ("1 x a", NOT_FLOAT),
        ("1 1 a nan 1 b", NOT_FLOAT),
        ("181 0 a", "ERR invalid longitude,latitude pair 181.000000,0.000000"),
        ("0 85.06 a", "ERR invalid longitude,latitude pair 0.000000,85.060000"),
        ("1 1 a inf 1 b", "ERR invalid longitude,latitude pair inf,1.000000"),
    ],
)
def test_geoadd_errors(run, words, error):
    assert run("GEOADD", "k", *words.split()) == error
    assert run("EXISTS", "k") == 0


def test_becomes_large(run):
    words = [word for i in range(200) for word in (i / 10, i / 10, f"member {i}")]
    assert run("GEOADD", "k", *words) == 200
    assert run("OBJECT", "ENCODING", "k") == b"skiplist"
    run("GEOADD", "p", *words[:300])
    assert run("OBJECT", "ENCODING", "p") == b"listpack"


# ---------------------------------------------------------------- what it tells of members


def test_geopos(sicily, protocol):
    found = sicily("GEOPOS", "s", "Palermo", "none", "Catania")
    expected = [["13.361389338970184", "38.1155563954963"], None, ["15.087267458438873", "37.50266842333162"]]
    as_told = (lambda text: text.encode()) if protocol == 2 else float
    assert found == [point and [as_told(number) for number in point] for point in expected]
    assert sicily("GEOPOS", "s") == []
    assert sicily("GEOPOS", "none", "a") == [None]


def test_geopos_on_the_wire(client, protocol):
    client.cmd("GEOADD", "s", *SICILY)
    missing = b"*-1\r\n" if protocol == 2 else b"_\r\n"
    point = b"*2\r\n$18\r\n13.361389338970184\r\n$16\r\n38.1155563954963\r\n"
    if protocol == 3:
        point = b"*2\r\n,13.361389338970184\r\n,38.1155563954963\r\n"
    assert client.raw(b"GEOPOS s Palermo x\r\n") == b"*2\r\n" + point + missing
    assert client.raw(b"GEODIST s Palermo Catania km\r\n") == b"$8\r\n166.2742\r\n"


def test_geohash(sicily):
    assert sicily("GEOHASH", "s", "Palermo", "none", "Catania") == [b"sqc8b49rny0", None, b"sqdtr74hyu0"]
    assert sicily("GEOHASH", "none", "a") == [None]
    assert sicily("GEOHASH", "s") == []


def test_geodist(sicily):
    assert sicily("GEODIST", "s", "Palermo", "Catania") == b"166274.1516"
    assert sicily("GEODIST", "s", "Palermo", "Catania", "KM") == b"166.2742"
    assert sicily("GEODIST", "s", "Palermo", "Catania", "mi") == b"103.3182"
    assert sicily("GEODIST", "s", "Palermo", "Catania", "ft") == b"545518.8700"
    assert sicily("GEODIST", "s", "Palermo", "Palermo") == b"0.0000"
    assert sicily("GEODIST", "s", "Palermo", "none") is None
    assert sicily("GEODIST", "none", "a", "b") is None
    unit = "ERR unsupported unit provided. please use M, KM, FT, MI"
    assert sicily("GEODIST", "s", "Palermo", "Catania", "x") == unit
    assert sicily("GEODIST", "s", "Palermo", "Catania", "km", "x") == SYNTAX


# ---------------------------------------------------------------- searching


@pytest.fixture(params=[100, 1500], ids=["packed", "large"])
def points(run, request):
    """Members of a set by name; their places as the set has them."""
    rng = random.Random(request.param)
    names = [f"m{i}" for i in range(request.param)]
    run("GEOADD", "k", *(w for name in names for w in (rng.uniform(-180, 180), rng.uniform(-60, 60), name)))
    places = run("GEOPOS", "k", *names)
    return {name.encode(): tuple(map(float, place)) for name, place in zip(names, places, strict=True)}


def test_circles(run, points):
    rng = random.Random(4)
    for _ in range(40):
        centre = rng.uniform(-180, 180), rng.uniform(-50, 50)
        unit = rng.choice(list(UNITS))
        radius = rng.uniform(0, 3_000_000)
        distances = {name: haversine(centre, place) for name, place in points.items()}
        if any(abs(d - radius) < 1 for d in distances.values()):
            continue
        expected = sorted((name for name in points if distances[name] < radius), key=distances.get)
        circle = (radius / UNITS[unit], unit)
        assert sorted(run("GEOSEARCH", "k", "FROMLONLAT", *centre, "BYRADIUS", *circle)) == sorted(expected)
        assert run("GEOSEARCH", "k", "BYRADIUS", *circle, "ASC", "FROMLONLAT", *centre) == expected
        assert run("GEORADIUS", "k", *centre, *circle, "DESC") == expected[::-1]
        assert run("GEORADIUS_RO", "k", *centre, *circle, "COUNT", 3) == expected[:3]
        some = run("GEORADIUS", "k", *centre, *circle, "COUNT", 2, "ANY")
        assert len(some) == min(2, len(expected))
        assert set(some) <= set(expected)
        far = run("GEORADIUS", "k", *centre, *circle, "DESC", "COUNT", 2, "WITHDIST")
        assert [name for name, _ in far] == expected[::-1][:2]
        for name, told in far:
            assert abs(float(told) - distances[name] / UNITS[unit]) < 0.001


def test_boxes(run, points):
    rng = random.Random(5)
    for _ in range(40):
        centre = rng.uniform(-180, 180), rng.uniform(-50, 50)
        width, height = rng.uniform(0, 4_000_000), rng.uniform(0, 4_000_000)

        def beside(place, centre=centre):
            """How far a point is east or west of the centre, and north or south."""
            return haversine(place, (centre[0], place[1])), haversine((0, place[1]), (0, centre[1]))

        expected = []
        for name, place in points.items():
            x, y = beside(place)
            if x <= width / 2 and y <= height / 2:
                expected.append(name)
        found = run("GEOSEARCH", "k", "FROMLONLAT", *centre, "BYBOX", width, height, "m")
        assert sorted(found) == sorted(expected)


def test_from_a_member(run, points):
    for name in list(points)[:10]:
        near = run("GEOSEARCH", "k", "FROMMEMBER", name, "BYRADIUS", 2000, "km", "ASC")
        assert near[0] == name
        assert run("GEORADIUSBYMEMBER", "k", name, 2000, "km", "ASC") == near
        assert run("GEORADIUSBYMEMBER_RO", "k", name, 2000, "km", "DESC") == near[::-1]


def test_across_the_date_line(run):
    run("GEOADD", "k", 179.5, 36, "east", -179.5, 36, "west")
    assert run("GEOSEARCH", "k", "FROMLONLAT", 179, 37, "BYBOX", 400, 400, "km", "ASC") == [b"east", b"west"]
    assert run("GEOSEARCH", "k", "FROMLONLAT", -179, 37, "BYRADIUS", 200, "km", "ASC") == [b"west", b"east"]


def test_what_comes_with_a_member(sicily, protocol):
    number = (lambda text: text.encode()) if protocol == 2 else float
    point = [number("15.087267458438873"), number("37.50266842333162")]
    words = ("GEORADIUS", "s", 15, 37, 100, "km")
    assert sicily(*words, "WITHCOORD") == [[b"Catania", point]]
    everything = [[b"Catania", b"56.4413", 3479447370796909, point]]
    assert sicily(*words, "WITHCOORD", "WITHHASH", "WITHDIST") == everything
    assert sicily(*words, "WITHHASH") == [[b"Catania", 3479447370796909]]


def test_no_set(run):
    assert run("GEORADIUS", "none", 1, 1, 1, "km") == []
    assert run("GEORADIUSBYMEMBER", "none", "a", 1, "km") == []
    assert run("GEOSEARCH", "none", "FROMMEMBER", "a", "BYRADIUS", 1, "km") == []
    assert run("GEORADIUS", "none", 1, 1, 1, "km", "STORE", "to") == 0
    assert run("GEOSEARCHSTORE", "to", "none", "FROMMEMBER", "a", "BYRADIUS", 1, "km") == 0


FROM, BY = "FROMLONLAT 15 37", "BYRADIUS 1 km"


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("GEORADIUS s 1 1 x km", "ERR need numeric radius"),
        ("GEORADIUS s 1 1 -1 km", "ERR radius cannot be negative"),
        ("GEORADIUS s 1 1 1 x", "ERR unsupported unit provided. please use M, KM, FT, MI"),
        ("GEORADIUS s x 1 1 km", NOT_FLOAT),
        ("GEORADIUS s 1 1 1 km COUNT", SYNTAX),
        ("GEORADIUS s 1 1 1 km COUNT 0", "ERR COUNT must be > 0"),
        ("GEORADIUS s 1 1 1 km COUNT x", "ERR value is not an integer or out of range"),
        ("GEORADIUS s 1 1 1 km ANY", "ERR the ANY argument requires COUNT argument"),
        ("GEORADIUS s 1 1 1 km FROMMEMBER a", SYNTAX),
        ("GEORADIUS_RO s 1 1 1 km STORE to", SYNTAX),
        (
            "GEORADIUS s 1 1 1 km STORE to WITHDIST",
            "ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
        ),
        (
            f"GEOSEARCHSTORE to s {FROM} {BY} WITHHASH",
            "ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
        ),
        (f"GEOSEARCHSTORE to s {FROM} {BY} STORE to", SYNTAX),
        (f"GEOSEARCH s {FROM} {BY} STOREDIST", SYNTAX),
        ("GEORADIUSBYMEMBER s none 1 km", "ERR could not decode requested zset member"),
        (f"GEOSEARCH s FROMMEMBER none {BY}", "ERR could not decode requested zset member"),
        (f"GEOSEARCH s {FROM} FROMMEMBER Palermo {BY}", SYNTAX),
        (f"GEOSEARCH s {FROM} {BY} BYBOX 1 1 km", SYNTAX),
        (f"GEOSEARCH s {FROM} BYBOX x 1 km", "ERR need numeric width"),
        (f"GEOSEARCH s {FROM} BYBOX 1 x km", "ERR need numeric height"),
        (f"GEOSEARCH s {FROM} BYBOX 1 -1 km", "ERR height or width cannot be negative"),
        (
            f"GEOSEARCH s {BY} ASC ASC",
            "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for GEOSEARCH",
        ),
        (
            f"geosearch s {FROM} ASC ASC",
            "ERR exactly one of BYRADIUS and BYBOX can be specified for geosearch",
        ),
    ],
)
def test_search_errors(sicily, command, error):
    assert sicily(*command.split()) == error


def test_wrong_type(run):
    run("SET", "s", "text")
    for command in (
        "GEOADD s 1 1 a",
        "GEOPOS s a",
        "GEOHASH s a",
        "GEODIST s a b",
        "GEORADIUS s 1 1 1 km",
        "GEORADIUSBYMEMBER s a 1 km",
        "GEOSEARCH s FROMMEMBER a BYRADIUS 1 km",
        "GEOSEARCHSTORE to s FROMMEMBER a BYRADIUS 1 km",
    ):
        assert run(*command.split()) == WRONG_TYPE, command


# ---------------------------------------------------------------- storing


def test_store(run, points):
    circle = ("FROMLONLAT", 10, 10, "BYRADIUS", 3000, "km")
    expected = run("GEOSEARCH", "k", *circle, "ASC")
    run("SET", "to", "anything", "EX", 100)
    assert run("GEOSEARCHSTORE", "to", "k", *circle) == len(expected)
    assert sorted(run("ZRANGE", "to", 0, -1)) == sorted(expected)
    assert run("TTL", "to") == -1
    assert run("GEOPOS", "to", *expected) == run("GEOPOS", "k", *expected)
    assert run("GEOSEARCHSTORE", "to", "k", *circle, "STOREDIST", "COUNT", 3) == 3
    assert run("ZRANGE", "to", 0, -1) == expected[:3]
    told = [float(distance) for _, distance in run("GEOSEARCH", "k", *circle, "ASC", "COUNT", 3, "WITHDIST")]
    scores = [float(run("ZSCORE", "to", name)) for name in expected[:3]]
    assert scores == pytest.approx(told, abs=0.0001)
    assert run("GEORADIUS", "k", 10, 10, 3000, "km", "STORE", "k") == len(expected)  # onto itself
    assert sorted(run("ZRANGE", "k", 0, -1)) == sorted(expected)
    assert run("GEORADIUSBYMEMBER", "k", expected[0], 0, "m", "STOREDIST", "to") == 1
    assert run("GEORADIUS", "k", -170, -80, 1, "m", "STORE", "to") == 0
    assert run("EXISTS", "to") == 0


def test_keys_of_commands(run):
    assert run("COMMAND", "GETKEYS", "GEORADIUS", "a", 1, 1, 1, "km", "STORE", "b") == [b"a", b"b"]
    assert run("COMMAND", "GETKEYS", "GEORADIUSBYMEMBER", "a", "m", 1, "km", "STOREDIST", "b") == [b"a", b"b"]
    words = ("GEOSEARCHSTORE", "b", "a", "FROMMEMBER", "m", "BYRADIUS", 1, "km")
    assert run("COMMAND", "GETKEYS", *words) == [b"b", b"a"]


def test_events(client, subscriber):
    client.cmd("CONFIG", "SET", "notify-keyspace-events", "EAno")
    subscriber.subscribe("__keyevent@0__:*")

    def events(*words):
        client.cmd(*words)
        client.cmd("PUBLISH", "__keyevent@0__:end", "")
        found = []
        while not found or found[-1] != "end":
            found.append(subscriber.next()[0].rpartition(b":")[2].decode())
        return found[:-1]

    circle = ("FROMLONLAT", 15, 37, "BYRADIUS", 200, "km")
    assert events("GEOADD", "s", *SICILY) == ["new", "zadd"]
    assert events("GEOADD", "s", *SICILY) == []
    assert events("GEOADD", "s", 1, 1, "Catania") == ["zadd"]
    assert events("GEOADD", "s", *SICILY) == ["zadd"]
    assert events("GEOSEARCHSTORE", "to", "s", *circle) == ["new", "geosearchstore"]
    assert events("GEOSEARCHSTORE", "to", "s", *circle) == ["overwritten", "geosearchstore"]
    assert events("GEORADIUS", "s", 15, 37, 200, "km", "STORE", "to") == ["overwritten", "georadiusstore"]
    assert events("GEORADIUS", "s", 1, 1, 2, "m", "STORE", "to") == ["del"]
    assert events("GEORADIUS", "s", 1, 1, 2, "m", "STORE", "to") == []
