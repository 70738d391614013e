# Geohashes: places on the earth as whole numbers whose neighbours in order are mostly near in space.
#
# Longitude and latitude are each cut into 2**step cells; the bits of the two numbers alternate, longitude
# first. With 26 steps that is a sorted set's score, which a double holds exactly.
from libc.stdint cimport uint32_t, uint64_t

cdef enum:
    GEO_STEPS = 26          # of a score
    GEO_CHARS = 11          # of a geohash as text
    GEO_SPANS = 9           # cells that are searched: one and its neighbours

cdef struct Point:          # degrees
    double lon
    double lat

cdef struct Shape:          # what is searched
    Point  center
    bint   is_box
    double radius           # metres; of a circle
    double width            # metres; of a box
    double height

cdef struct Span:           # scores [min, max)
    double min
    double max

cdef bint point_valid(const Point* p) noexcept nogil
cdef uint64_t geohash_encode(const Point* p) noexcept nogil
cdef void geohash_decode(double score, Point* p) noexcept nogil        # the middle of the cell
cdef void geohash_text(const Point* p, char* text) noexcept nogil      # GEO_CHARS characters, as geohash.org has them
cdef double geo_distance(const Point* a, const Point* b) noexcept nogil    # metres
# Whether a point lies in a shape; how far from its centre, metres.
cdef bint shape_holds(const Shape* shape, const Point* p, double* distance) noexcept nogil
# The scores that all points of a shape have; returns how many spans.
cdef uint32_t shape_spans(const Shape* shape, Span* spans) noexcept nogil
