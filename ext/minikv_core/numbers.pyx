# Numbers from and to text, exactly as Redis reads and writes them.
#
# Integers have one spelling. Floating point is read as strtod and strtold read it, hexadecimal and
# "inf" included, NaN excluded. A double is written with the fewest digits that read back the same
# (Grisu2, which once in a thousand times takes one more: Redis does too), a long double with up to
# 17 decimals.
from libc cimport errno
from libc.math cimport isinf, isnan, signbit
from libc.stdint cimport uint8_t, uint64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport free, malloc, strtod
from libc.string cimport memcpy, memset
from minikv_core.memory cimport clz64, likely, load_u64

cdef extern from * nogil:
    """
    static const char minikv_pairs[] =
        "00010203040506070809" "10111213141516171819" "20212223242526272829"
        "30313233343536373839" "40414243444546474849" "50515253545556575859"
        "60616263646566676869" "70717273747576777879" "80818283848586878889"
        "90919293949596979899";
    """
    ctypedef unsigned long long u128 "unsigned __int128"
    const char PAIRS "minikv_pairs"[]           # the two digits of each number below 100

cdef extern from "stdlib.h" nogil:
    long double strtold(const char* text, char** end)

cdef extern from "locale.h" nogil:
    ctypedef void* locale_t
    int LC_ALL_MASK
    locale_t newlocale(int mask, const char* name, locale_t base)
    locale_t uselocale(locale_t locale)

cdef enum:
    POWERS = 87                 # cached powers of ten: 10**-348, 10**-340, ... 10**340
    FIRST_POWER = -348
    STEP = 8

cdef struct Scaled:             # a number f * 2**e
    uint64_t f
    int      e

cdef double EXACT[16]           # powers of ten for parse_double's common case
cdef Scaled CACHED[POWERS]      # nearest 64-bit f with the top bit set
cdef uint64_t TENS[20]
cdef locale_t C_LOCALE = newlocale(LC_ALL_MASK, "C", NULL)


def _fill_tables():
    cdef int i
    cdef object ten = 10        # an object, so that its powers are Python's: exact
    for i in range(20):
        TENS[i] = ten ** i
    for i in range(16):
        EXACT[i] = ten ** i
    for i in range(POWERS):
        power = <object>(FIRST_POWER + STEP * i)
        top, bottom = (ten ** power, 1) if power >= 0 else (1, ten ** -power)
        e = top.bit_length() - bottom.bit_length() - 64
        while True:             # at most twice: one step to 64 bits
            up, down = (top, bottom << e) if e >= 0 else (top << -e, bottom)
            f = (2 * up + down) // (2 * down)
            if f >> 64 == 0:
                break
            e += 1
        CACHED[i].f = f
        CACHED[i].e = e


_fill_tables()


cdef uint32_t format_int(char* p, int64_t n) noexcept nogil:
    """Write n in decimal, two digits at a time.

    p        INT_CHARS bytes
    returns  bytes written
    """
    cdef uint64_t u = <uint64_t>n
    cdef uint32_t minus = n < 0
    cdef uint32_t length, at, pair
    if minus:
        p[0] = c'-'
        p += 1
        u = 0 - u
    # Digits: log10(2) is close to 1233 / 4096.
    length = <uint32_t>((64 - clz64(u | 1)) * 1233) >> 12
    length += u >= TENS[length]
    if length == 0:
        length = 1
    at = length
    while u >= 100:
        pair = <uint32_t>(u % 100)
        u //= 100
        at -= 2
        memcpy(p + at, &PAIRS[2 * pair], 2)
    if at == 2:
        memcpy(p, &PAIRS[2 * u], 2)
    else:
        p[0] = <char>(c'0' + u)
    return length + minus


cdef bint parse_int(const char* p, size_t n, int64_t* value) noexcept nogil:
    """Read an int64 in its one spelling: no '+', no spaces, no leading zeros, no "-0".

    returns  whether it was one; value is written only then
    """
    cdef const char* end = p + n
    cdef bint minus
    cdef uint64_t u
    cdef uint8_t digit
    if n == 0 or n > INT_CHARS:
        return False
    minus = p[0] == c'-'
    if minus:
        p += 1
        n -= 1
    if n == 0 or n > 19:        # 19 digits never overflow u
        return False
    if p[0] == c'0':
        if n > 1 or minus:
            return False
        value[0] = 0
        return True
    u = 0
    while p < end:
        digit = <uint8_t>(p[0] - c'0')
        if digit > 9:
            return False
        u = u * 10 + digit
        p += 1
    if u > (<uint64_t>1 << 63) - (0 if minus else 1):
        return False
    value[0] = <int64_t>(0 - u) if minus else <int64_t>u
    return True


cdef inline bint is_space(char c) noexcept nogil:
    return c == c' ' or 9 <= c <= 13


cdef bint parse_double(const char* p, size_t n, double* value) noexcept nogil:
    """Read a double as ZADD does; too large, or too small to be more than zero, is refused.

    returns  whether it was one; value is written only then
    The common case is up to 15 digits with or without a point: the digits and the power of ten are
    exact doubles, so that one division rounds correctly.
    """
    cdef char text[256]
    cdef char* copy = text
    cdef char* end
    cdef double result
    cdef int saved
    cdef bint ok
    cdef locale_t before
    if n == 0:
        return False
    if likely(parse_plain(p, n, value)):
        return True
    if is_space(p[0]):
        return False
    if n >= sizeof(text):
        copy = <char*>malloc(n + 1)
        if copy == NULL:
            return False
    memcpy(copy, p, n)
    copy[n] = 0
    before = uselocale(C_LOCALE)
    errno.errno = 0
    result = strtod(copy, &end)
    saved = errno.errno
    uselocale(before)
    ok = end == copy + n and not isnan(result) and not (
        saved == errno.ERANGE and (isinf(result) or result == 0))
    if copy != text:
        free(copy)
    if ok:
        value[0] = result
    return ok


cdef inline bint parse_plain(const char* p, size_t n, double* value) noexcept nogil:
    """Read [-]digits[.digits] with 1 to 15 digits."""
    cdef const char* end = p + n
    cdef const char* point = NULL
    cdef bint minus = p[0] == c'-'
    cdef uint64_t u = 0
    cdef uint32_t digits = 0, decimals
    cdef uint8_t digit
    cdef double result
    if n > 17:
        return False
    if minus:
        p += 1
    while p < end:
        digit = <uint8_t>(p[0] - c'0')
        if digit <= 9:
            u = u * 10 + digit
            digits += 1
        elif p[0] == c'.' and point == NULL:
            point = p
        else:
            return False
        p += 1
    if digits == 0 or digits > 15:
        return False
    result = <double>u
    if point != NULL:
        decimals = <uint32_t>(end - point - 1)
        result /= EXACT[decimals]
    value[0] = -result if minus else result
    return True


cdef bint parse_long_double(const char* p, size_t n, long double* value) noexcept nogil:
    """Read a long double as INCRBYFLOAT does, from less than LONG_DOUBLE_CHARS bytes.

    returns  whether it was one; value is written only then
    """
    cdef char text[LONG_DOUBLE_CHARS]
    cdef char* end
    cdef long double result
    cdef int saved
    cdef locale_t before
    if n == 0 or n >= LONG_DOUBLE_CHARS or is_space(p[0]):
        return False
    memcpy(text, p, n)
    text[n] = 0
    before = uselocale(C_LOCALE)
    errno.errno = 0
    result = strtold(text, &end)
    saved = errno.errno
    uselocale(before)
    if end != text + n or isnan(result) or (saved == errno.ERANGE and (isinf(result) or result == 0)):
        return False
    value[0] = result
    return True


cdef uint32_t format_double(char* p, double value) noexcept nogil:
    """Write a double as replies show it: "3", "0.1", "1e+20", "-inf", "nan".

    p        DOUBLE_CHARS bytes
    returns  bytes written
    """
    cdef char digits[20]
    cdef int n, power, point
    cdef char* start = p
    if isnan(value):
        memcpy(p, b"nan", 3)
        return 3
    if signbit(value):
        p[0] = c'-'
        p += 1
        value = -value
    if isinf(value):
        memcpy(p, b"inf", 3)
        return <uint32_t>(p + 3 - start)
    if value == 0:
        p[0] = c'0'
        return <uint32_t>(p + 1 - start)
    if value <= <double>(<int64_t>1 << 62) and <double><int64_t>value == value:
        p += format_int(p, <int64_t>value)
        return <uint32_t>(p - start)
    n = shortest_digits(digits, value, &power)
    point = n + power           # digits in front of the decimal point
    if power >= 0 and power < 8:
        memcpy(p, digits, n)
        memset(p + n, c'0', power)
        p += point
    elif power < 0 and (power > -7 or -3 < point < 5):
        if point > 0:
            memcpy(p, digits, point)
            p[point] = c'.'
            memcpy(p + point + 1, digits + point, n - point)
            p += n + 1
        else:
            memcpy(p, b"0.", 2)
            memset(p + 2, c'0', -point)
            memcpy(p + 2 - point, digits, n)
            p += 2 - point + n
    else:
        p[0] = digits[0]
        p += 1
        if n > 1:
            p[0] = c'.'
            memcpy(p + 1, digits + 1, n - 1)
            p += n
        p[0] = c'e'
        p[1] = c'+' if point > 0 else c'-'
        p += 2
        p += format_int(p, point - 1 if point > 0 else 1 - point)
    return <uint32_t>(p - start)


cdef inline uint64_t multiply(uint64_t a, uint64_t b) noexcept nogil:
    """The upper half of a * b, rounded."""
    return <uint64_t>((<u128>a * b + (<uint64_t>1 << 63)) >> 64)


cdef int shortest_digits(char* digits, double value, int* power) noexcept nogil:
    """Find the digits that name a double: value = digits * 10**power, or nearer to it than any other.

    digits   17 bytes
    value    > 0 and finite
    returns  digits written
    source   Loitsch, Printing Floating-Point Numbers Quickly and Accurately with Integers, 2010
    All three numbers, the value and the middle of the way to its neighbours, are scaled to 64 bits
    with one exponent, so that a cached power of ten brings that exponent to between -60 and -32.
    """
    cdef uint64_t bits = load_u64(&value)
    cdef uint64_t f = bits & ((<uint64_t>1 << 52) - 1)
    cdef int e = <int>(bits >> 52)
    cdef int shift, index, one, kappa, n = 0
    cdef uint64_t high, low, delta, rest, distance, whole, fraction, unit, weight, digit
    if e:
        f |= <uint64_t>1 << 52
        e -= 1075
    else:
        e = -1074
    # The neighbour below is half as far if the value is a power of two.
    high = 2 * f + 1
    shift = clz64(high)
    high <<= shift
    e -= 1 + shift
    if f == <uint64_t>1 << 52:
        low = (4 * f - 1) << (shift - 1)
    else:
        low = (2 * f - 1) << shift
    f <<= shift + 1
    index = <int>((-(e + POWERS) * 0.30102999566398114 - FIRST_POWER) / STEP)
    while e + CACHED[index].e + 64 < -60:
        index += 1
    while e + CACHED[index].e + 64 > -32:
        index -= 1
    high = multiply(high, CACHED[index].f) - 1
    low = multiply(low, CACHED[index].f) + 1
    f = multiply(f, CACHED[index].f)
    one = -(e + CACHED[index].e + 64)
    power[0] = -(FIRST_POWER + STEP * index)
    distance = high - f
    delta = high - low
    whole = high >> one
    fraction = high & ((<uint64_t>1 << one) - 1)
    # Write high's digits until what is left is within delta.
    kappa = 10
    while kappa > 0:
        kappa -= 1
        digit = whole // TENS[kappa]
        whole -= digit * TENS[kappa]
        if digit or n:
            digits[n] = <char>(c'0' + digit)
            n += 1
        rest = (whole << one) + fraction
        if rest <= delta:
            power[0] += kappa
            nearest_digit(digits + n - 1, delta, rest, TENS[kappa] << one, distance)
            return n
    unit = <uint64_t>1 << one
    weight = 1
    while True:
        fraction *= 10
        delta *= 10
        weight *= 10
        kappa -= 1
        digit = fraction >> one
        if digit or n:
            digits[n] = <char>(c'0' + digit)
            n += 1
        fraction &= unit - 1
        if fraction < delta:
            power[0] += kappa
            nearest_digit(digits + n - 1, delta, fraction, unit, distance * weight)
            return n


cdef inline void nearest_digit(char* last, uint64_t delta, uint64_t rest, uint64_t unit,
                               uint64_t distance) noexcept nogil:
    """Lower the last digit while that comes nearer to the value and stays within delta."""
    while rest < distance and delta - rest >= unit and (
            rest + unit < distance or distance - rest > rest + unit - distance):
        last[0] -= 1
        rest += unit


cdef uint32_t format_long_double(char* p, long double value) noexcept nogil:
    """Write a finite long double with up to 17 decimals, without an exponent.

    p        LONG_DOUBLE_CHARS bytes
    returns  bytes written
    """
    cdef locale_t before = uselocale(C_LOCALE)
    cdef uint32_t n = <uint32_t>snprintf(p, LONG_DOUBLE_CHARS, "%.17Lf", value)
    uselocale(before)
    while p[n - 1] == c'0':     # there is a point, so that this ends
        n -= 1
    if p[n - 1] == c'.':
        n -= 1
    if n == 2 and p[0] == c'-' and p[1] == c'0':
        p[0] = c'0'
        n = 1
    return n


# For the tests.

def int_text(int64_t value):
    cdef char text[INT_CHARS]
    return text[:format_int(text, value)]


def int_value(bytes text):
    cdef int64_t value
    return value if parse_int(text, len(text), &value) else None


def double_text(double value):
    cdef char text[DOUBLE_CHARS]
    return text[:format_double(text, value)]


def double_value(bytes text):
    cdef double value
    return value if parse_double(text, len(text), &value) else None


def long_double_sum(*texts):
    """What INCRBYFLOAT makes of a list of numbers; None if one is refused."""
    cdef char text[LONG_DOUBLE_CHARS]
    cdef long double total = 0, value
    for item in texts:
        if not parse_long_double(<bytes>item, len(item), &value):
            return None
        total += value
    return text[:format_long_double(text, total)]
