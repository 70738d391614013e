"""Geohashes as Redis computes them: cells, distances, and the cells that cover a circle or a box.

The earth is a sphere here, and distances are great circles (haversine formula). Latitudes end at
85.05112878 degrees, where the Mercator projection's square map does. Every formula is evaluated in the order
in which Redis does it, so that scores and distances are equal to the last bit.
"""

from libc.math cimport asin, cos, fabs, sin, sqrt
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

cdef extern from *:
    """
    #define MINIKV_RADIAN (3.14159265358979323846 / 180.0)
    """
    const double LON_MAX "180.0"
    const double LAT_MAX "85.05112878"
    const double RADIAN "MINIKV_RADIAN"
    const double EARTH_RADIUS "6372797.560856"      # metres: quadratic mean
    const double MERCATOR_MAX "20037726.37"         # metres: half the map's width

cdef struct Cell:
    uint32_t lon            # 0 to 2**step - 1 from west to east; one more at the very end
    uint32_t lat            # from south to north
    uint32_t step

cdef struct Area:           # degrees
    Point min
    Point max

# ---------------------------------------------------------------- cells

cdef inline uint64_t spread_bits(uint32_t n) noexcept nogil:
    """Put a zero in front of each bit."""
    cdef uint64_t x = n
    x = (x | (x << 16)) & <uint64_t>0x0000FFFF0000FFFF
    x = (x | (x << 8)) & <uint64_t>0x00FF00FF00FF00FF
    x = (x | (x << 4)) & <uint64_t>0x0F0F0F0F0F0F0F0F
    x = (x | (x << 2)) & <uint64_t>0x3333333333333333
    return (x | (x << 1)) & <uint64_t>0x5555555555555555


cdef inline uint32_t gather_bits(uint64_t x) noexcept nogil:
    """Every second bit, from the lowest on."""
    x &= <uint64_t>0x5555555555555555
    x = (x | (x >> 1)) & <uint64_t>0x3333333333333333
    x = (x | (x >> 2)) & <uint64_t>0x0F0F0F0F0F0F0F0F
    x = (x | (x >> 4)) & <uint64_t>0x00FF00FF00FF00FF
    x = (x | (x >> 8)) & <uint64_t>0x0000FFFF0000FFFF
    return <uint32_t>(x | (x >> 16))


cdef inline uint64_t cell_hash(const Cell* c) noexcept nogil:
    return spread_bits(c.lat) | (spread_bits(c.lon) << 1)


cdef void cell_at(const Point* p, double lat_max, uint32_t step, Cell* c) noexcept nogil:
    """The cell of a point; lat_max says where the map ends."""
    cdef double cells = <double>(<uint64_t>1 << step)
    c.lat = <uint32_t>((p.lat + lat_max) / (lat_max + lat_max) * cells)
    c.lon = <uint32_t>((p.lon + LON_MAX) / (LON_MAX + LON_MAX) * cells)
    c.step = step


cdef void cell_area(const Cell* c, Area* area) noexcept nogil:
    cdef double cells = <double>(<uint64_t>1 << c.step)
    area.min.lat = -LAT_MAX + c.lat / cells * (LAT_MAX + LAT_MAX)
    area.max.lat = -LAT_MAX + <uint32_t>(c.lat + 1) / cells * (LAT_MAX + LAT_MAX)
    area.min.lon = -LON_MAX + c.lon / cells * (LON_MAX + LON_MAX)
    area.max.lon = -LON_MAX + <uint32_t>(c.lon + 1) / cells * (LON_MAX + LON_MAX)


cdef void cell_neighbour(const Cell* c, int east, int north, Cell* to) noexcept nogil:
    """The cell a step away; the map has no edges."""
    cdef uint32_t mask = (<uint32_t>1 << c.step) - 1
    to.step = c.step
    to.lon = (c.lon + <uint32_t>east) & mask if east else c.lon
    to.lat = (c.lat + <uint32_t>north) & mask if north else c.lat

# ---------------------------------------------------------------- points

cdef bint point_valid(const Point* p) noexcept nogil:
    return -LON_MAX <= p.lon <= LON_MAX and -LAT_MAX <= p.lat <= LAT_MAX


cdef uint64_t geohash_encode(const Point* p) noexcept nogil:
    cdef Cell c
    cell_at(p, LAT_MAX, GEO_STEPS, &c)
    return cell_hash(&c)


cdef void geohash_decode(double score, Point* p) noexcept nogil:
    cdef Cell c
    cdef Area area
    cdef uint64_t hash
    if fabs(score) < 9.2e18:
        hash = <uint64_t><int64_t>score
    elif score < 0:         # any score can be in a sorted set; these mean what they do on Redis
        hash = <uint64_t>1 << 63
    else:
        hash = <uint64_t>score if score < 1.8e19 else 0
    c.lat = gather_bits(hash)
    c.lon = gather_bits(hash >> 1)
    c.step = GEO_STEPS
    cell_area(&c, &area)
    p.lon = max(-LON_MAX, min((area.min.lon + area.max.lon) / 2, LON_MAX))
    p.lat = max(-LAT_MAX, min((area.min.lat + area.max.lat) / 2, LAT_MAX))


cdef void geohash_text(const Point* p, char* text) noexcept nogil:
    cdef const char* letters = b"0123456789bcdefghjkmnpqrstuvwxyz"
    cdef Cell c
    cdef uint64_t hash
    cdef int i
    cell_at(p, 90, GEO_STEPS, &c)
    hash = cell_hash(&c)
    for i in range(GEO_CHARS - 1):
        text[i] = letters[(hash >> (47 - 5 * i)) & 31]
    text[GEO_CHARS - 1] = c'0'      # two bits are left, which Redis does not show


cdef inline double lat_distance(double a, double b) noexcept nogil:
    return EARTH_RADIUS * fabs(b * RADIAN - a * RADIAN)


cdef double geo_distance(const Point* a, const Point* b) noexcept nogil:
    cdef double v = sin((b.lon * RADIAN - a.lon * RADIAN) / 2), u, lat_a, lat_b
    if v == 0:
        return lat_distance(a.lat, b.lat)
    lat_a = a.lat * RADIAN
    lat_b = b.lat * RADIAN
    u = sin((lat_b - lat_a) / 2)
    return 2 * EARTH_RADIUS * asin(sqrt(u * u + cos(lat_a) * cos(lat_b) * v * v))

# ---------------------------------------------------------------- shapes

cdef bint shape_holds(const Shape* shape, const Point* p, double* distance) noexcept nogil:
    cdef Point beside
    if not shape.is_box:
        # the difference of latitudes alone rules most of the outside out
        if lat_distance(shape.center.lat, p.lat) > shape.radius * 1.000001:
            return False
        distance[0] = geo_distance(&shape.center, p)
        return distance[0] <= shape.radius
    if lat_distance(p.lat, shape.center.lat) > shape.height / 2:
        return False
    beside.lon = shape.center.lon
    beside.lat = p.lat
    if geo_distance(p, &beside) > shape.width / 2:
        return False
    distance[0] = geo_distance(&shape.center, p)
    return True


cdef void shape_bounds(const Shape* shape, Area* area) noexcept nogil:
    """The degrees between which a shape lies, at its edge that is nearer to the equator's opposite."""
    cdef double height = shape.height / 2 if shape.is_box else shape.radius
    cdef double width = shape.width / 2 if shape.is_box else shape.radius
    cdef double lat = height / EARTH_RADIUS / RADIAN
    cdef double edge = shape.center.lat + (-lat if shape.center.lat < 0 else lat)
    cdef double lon = width / EARTH_RADIUS / cos(edge * RADIAN) / RADIAN
    area.min.lon = shape.center.lon - lon
    area.max.lon = shape.center.lon + lon
    area.min.lat = shape.center.lat - lat
    area.max.lat = shape.center.lat + lat


cdef uint32_t shape_step(const Shape* shape) noexcept nogil:
    """Steps with which a cell and its neighbours cover a shape, as a rule."""
    cdef double reach = shape.radius
    cdef double lat = fabs(shape.center.lat)
    cdef int32_t step = -1
    if shape.is_box:
        reach = sqrt(shape.width / 2 * (shape.width / 2) + shape.height / 2 * (shape.height / 2))
    if reach == 0:
        return GEO_STEPS
    while reach < MERCATOR_MAX:
        reach *= 2
        step += 1
    if lat > 66:            # degrees of longitude are short there
        step -= 1
    if lat > 80:
        step -= 1
    return <uint32_t>max(1, min(step, <int32_t>GEO_STEPS))


cdef bint cells_cover(const Cell* c, const Area* bounds) noexcept nogil:
    """Whether a cell's neighbours reach as far as the bounds."""
    cdef Cell to
    cdef Area area
    cdef bint enough = True
    cell_neighbour(c, 0, 1, &to)
    cell_area(&to, &area)
    enough &= not area.max.lat < bounds.max.lat
    cell_neighbour(c, 0, -1, &to)
    cell_area(&to, &area)
    enough &= not area.min.lat > bounds.min.lat
    cell_neighbour(c, 1, 0, &to)
    cell_area(&to, &area)
    enough &= not area.max.lon < bounds.max.lon
    cell_neighbour(c, -1, 0, &to)
    cell_area(&to, &area)
    return enough and not area.min.lon > bounds.min.lon


cdef uint32_t shape_spans(const Shape* shape, Span* spans) noexcept nogil:
    # in Redis's order, which is seen where results are not sorted: itself, N S E W, NE NW SE SW
    cdef int* easts = [0, 0, 0, 1, -1, 1, -1, 1, -1]
    cdef int* norths = [0, 1, -1, 0, 0, 1, 1, -1, -1]
    cdef Area bounds, area
    cdef Cell c, to
    cdef uint32_t count = 0, step = shape_step(shape)
    cdef int i
    cdef uint64_t hash
    cdef Span span
    cdef bint skips
    shape_bounds(shape, &bounds)
    cell_at(&shape.center, LAT_MAX, step, &c)
    if step > 1 and not cells_cover(&c, &bounds):
        step -= 1
        cell_at(&shape.center, LAT_MAX, step, &c)
    cell_area(&c, &area)
    for i in range(GEO_SPANS):
        # neighbours on a side on which the cell itself reaches beyond the shape
        skips = (easts[i] > 0 and area.max.lon > bounds.max.lon) or (easts[i] < 0 and area.min.lon < bounds.min.lon) \
            or (norths[i] > 0 and area.max.lat > bounds.max.lat) or (norths[i] < 0 and area.min.lat < bounds.min.lat)
        if step >= 2 and skips:
            continue
        cell_neighbour(&c, easts[i], norths[i], &to)
        hash = cell_hash(&to)
        span.min = <double>(hash << (2 * (GEO_STEPS - step)))
        span.max = <double>((hash + 1) << (2 * (GEO_STEPS - step)))
        if count > 1 and spans[count - 1].min == span.min:      # of large cells, east and west are the same
            continue
        spans[count] = span
        count += 1
    return count


# For the tests.

def encode(double lon, double lat):
    cdef Point p
    p.lon = lon
    p.lat = lat
    return geohash_encode(&p)


def decode(double score):
    cdef Point p
    geohash_decode(score, &p)
    return p.lon, p.lat


def text(double lon, double lat):
    cdef char letters[GEO_CHARS]
    cdef Point p
    p.lon = lon
    p.lat = lat
    geohash_text(&p, letters)
    return letters[:GEO_CHARS]


def distance(double lon1, double lat1, double lon2, double lat2):
    cdef Point a, b
    a.lon = lon1
    a.lat = lat1
    b.lon = lon2
    b.lat = lat2
    return geo_distance(&a, &b)


def spans(double lon, double lat, radius=None, box=None):
    """The spans of a circle (radius) or a box (width, height), metres."""
    cdef Span found[GEO_SPANS]
    cdef Shape shape
    shape.center.lon = lon
    shape.center.lat = lat
    shape.is_box = box is not None
    shape.radius = radius or 0
    shape.width, shape.height = box or (0, 0)
    count = shape_spans(&shape, found)
    return [(found[i].min, found[i].max) for i in range(count)]
