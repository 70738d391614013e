"""Geohashes: scores and texts of known places, distances, and spans that cover what they should."""

import math
import random

import pytest
from minikv_core.geohash import decode, distance, encode, spans, text

EARTH = 6372797.560856
LAT_MAX = 85.05112878
PLACES = {  # longitude, latitude: score and text, as Redis has them
    (13.361389, 38.115556): (3479099956230698, b"sqc8b49rny0"),
    (15.087269, 37.502669): (3479447370796909, b"sqdtr74hyu0"),
    (-73.9454966, 40.747533): (1791875804419201, b"dr5rv3fe940"),
    (0, 0): (3377699720527872, b"s0000000000"),
}


def haversine(lon1, lat1, lon2, lat2):
    lon1, lat1, lon2, lat2 = map(math.radians, (lon1, lat1, lon2, lat2))
    v, u = math.sin((lon2 - lon1) / 2), math.sin((lat2 - lat1) / 2)
    return 2 * EARTH * math.asin(math.sqrt(u * u + math.cos(lat1) * math.cos(lat2) * v * v))


def random_point(rng, lat_most=LAT_MAX):
    return rng.uniform(-180, 180), rng.uniform(-lat_most, lat_most)


@pytest.mark.parametrize(("place", "expected"), PLACES.items())
def test_known_places(place, expected):
    score = encode(*place)
    assert (score, text(*decode(score))) == expected


def test_scores_by_bisection():
    """A score's bits say, longitude first, in which half of what is left the point lies."""
    rng = random.Random(1)
    for _ in range(2000):
        lon, lat = random_point(rng)
        score = 0
        west, east, south, north = -180, 180, -LAT_MAX, LAT_MAX
        for _ in range(26):
            middle = (west + east) / 2
            score = score * 2 + (lon >= middle)
            west, east = (middle, east) if lon >= middle else (west, middle)
            middle = (south + north) / 2
            score = score * 2 + (lat >= middle)
            south, north = (middle, north) if lat >= middle else (south, middle)
        assert encode(lon, lat) == score
        found = decode(score)
        assert found[0] == pytest.approx((west + east) / 2, abs=1e-12)
        assert found[1] == pytest.approx((south + north) / 2, abs=1e-12)
        assert encode(*found) == score


def test_edges_of_the_map():
    assert encode(-180, -LAT_MAX) == 0
    assert decode(encode(180, LAT_MAX)) == (180, LAT_MAX)


@pytest.mark.parametrize("score", [-1.0, 1.5, 2.0**53, 1e19, 1e300, -1e300, math.inf, -math.inf])
def test_any_score_is_some_place(score):
    lon, lat = decode(score)
    assert -180 <= lon <= 180
    assert -LAT_MAX <= lat <= LAT_MAX


def test_distances():
    rng = random.Random(2)
    for _ in range(2000):
        a, b = random_point(rng), random_point(rng)
        assert distance(*a, *b) == pytest.approx(haversine(*a, *b), rel=1e-12)
        assert distance(*a, *a) == 0
        same_meridian = (a[0], b[1])
        assert distance(*a, *same_meridian) == pytest.approx(
            haversine(*a, *same_meridian), rel=1e-6, abs=1e-3
        )


@pytest.mark.parametrize("reach", [1, 100, 5_000, 200_000, 3_000_000, 15_000_000])
def test_spans_cover_circles(reach):
    """Points that are near enough have scores within a span. Near the poles some are missing, as on Redis."""
    rng = random.Random(reach)
    for _ in range(300):
        centre = random_point(rng, 60)
        found = spans(*centre, radius=reach)
        assert 1 <= len(found) <= 9
        assert all(low < high for low, high in found)
        for _ in range(30):
            scale = math.degrees(reach / EARTH)
            lon = centre[0] + rng.uniform(-1, 1) * scale / max(0.1, math.cos(math.radians(centre[1])))
            lat = max(-70, min(70, centre[1] + rng.uniform(-1, 1) * scale))
            lon = (lon + 180) % 360 - 180
            if haversine(*centre, lon, lat) < reach * 0.999:
                score = encode(lon, lat)
                assert any(low <= score < high for low, high in found), (centre, lon, lat)


def test_spans_of_a_box():
    rng = random.Random(3)
    for _ in range(300):
        centre = random_point(rng, 60)
        width, height = rng.uniform(10, 100_000), rng.uniform(10, 100_000)
        found = spans(*centre, box=(width, height))
        for _ in range(30):
            lat = centre[1] + math.degrees(rng.uniform(-0.49, 0.49) * height / EARTH)
            lon = centre[0] + math.degrees(
                rng.uniform(-0.49, 0.49) * width / EARTH / math.cos(math.radians(lat))
            )
            if -180 < lon < 180:
                score = encode(lon, lat)
                assert any(low <= score < high for low, high in found), (centre, lon, lat)


def test_the_whole_earth_is_four_cells():
    found = spans(10, 10, radius=50_000_000)
    assert len(found) == 4
    assert sum(high - low for low, high in found) == 2**52
