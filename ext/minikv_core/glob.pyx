# Glob-style patterns; glob.pxd holds the contract.
#
#   *        any bytes, none too          ?        any byte
#   [abc]    one of these; a-z a range (either way round), ^ first: none of these
#   \x       x itself, also within [ ]    others   themselves
#
# A class that is not closed ends with the pattern. After a mismatch only the last star needs to
# take one byte more: what stands between two stars matched as early as it can, so a match costs at
# most pattern times text.
from libc.stddef cimport size_t
from libc.stdint cimport uint32_t

cdef enum:
    STARS_MAX = 1000                # as in Redis, a pattern of more stars, neighbours counted once, matches nothing


cdef bint glob_match(const char* pattern, size_t plen, const char* text, size_t tlen,
                     bint ignore_case) noexcept nogil:
    cdef const char* p = pattern
    cdef const char* t = text
    cdef const char* pstop = pattern + plen
    cdef const char* tstop = text + tlen
    cdef const char* star = NULL    # behind the last star
    cdef const char* taken = NULL   # first byte that the last star does not take
    cdef uint32_t stars = 0
    if tlen == 0:
        return plen == 0            # as in Redis, where not even a star matches an empty text
    while t < tstop:
        if p < pstop and p[0] == c'*':
            p += 1
            if p == pstop:
                return True
            if star != p - 1:
                stars += 1
                if stars > STARS_MAX:
                    return False
            star = p
            taken = t
        elif p < pstop and match_one(&p, pstop, t[0], ignore_case):
            t += 1
        elif star != NULL:
            p = star
            taken += 1
            t = taken
        else:
            return False
    while p < pstop and p[0] == c'*':
        p += 1
    return p == pstop


cdef inline char lower(char byte, bint ignore_case) noexcept nogil:
    return byte + 32 if ignore_case and c'A' <= byte <= c'Z' else byte


cdef inline bint match_one(const char** pattern, const char* stop, char byte,
                           bint ignore_case) noexcept nogil:
    """Match one byte of text; moves the pattern behind what stands for it."""
    cdef const char* p = pattern[0]
    if p[0] == c'[':
        return match_class(pattern, stop, byte, ignore_case)
    if p[0] == c'\\' and stop - p > 1:
        p += 1
    elif p[0] == c'?':
        pattern[0] = p + 1
        return True
    pattern[0] = p + 1
    return lower(p[0], ignore_case) == lower(byte, ignore_case)


cdef bint match_class(const char** pattern, const char* stop, char byte, bint ignore_case) noexcept nogil:
    """Match one byte of text against [...].

    As in Redis, ranges compare signed bytes, and an escaped byte is compared with its case.
    """
    cdef const char* p = pattern[0] + 1
    cdef bint negated = p < stop and p[0] == c'^'
    cdef bint found = False
    cdef char wanted = lower(byte, ignore_case)
    cdef char low, high
    if negated:
        p += 1
    while p < stop and p[0] != c']':
        if p[0] == c'\\' and stop - p > 1:
            found |= p[1] == byte
            p += 2
        elif stop - p > 2 and p[1] == c'-':
            low = lower(min(p[0], p[2]), ignore_case)
            high = lower(max(p[0], p[2]), ignore_case)
            found |= low <= wanted <= high
            p += 3
        else:
            found |= lower(p[0], ignore_case) == wanted
            p += 1
    pattern[0] = min(p + 1, stop)
    return found != negated


def glob_matches(bytes pattern, bytes text, bint ignore_case=False):
    """glob_match for the tests."""
    return glob_match(pattern, <size_t>len(pattern), text, <size_t>len(text), ignore_case)
