"""benchmarks/generator.py: reading redis-benchmark's report."""

import pytest

from benchmarks.generator import parse_report
from minikv.compare.errors import MeasurementError

REPORT = """\
\rGET: rps=0.0 (overall: 0.0) avg_msec=-nan (overall: -nan)\r          \r====== GET ======
  300000 requests completed in 0.22 seconds
  50 parallel clients
  3 bytes payload
  keep alive: 1

Latency by percentile distribution:
0.000% <= 0.119 milliseconds (cumulative count 32)
50.000% <= 0.343 milliseconds (cumulative count 153200)
99.219% <= 0.839 milliseconds (cumulative count 297776)
99.805% <= 0.959 milliseconds (cumulative count 299488)
99.902% <= 0.999 milliseconds (cumulative count 299728)
100.000% <= 1.359 milliseconds (cumulative count 300000)

Cumulative distribution of latencies:
0.000% <= 0.103 milliseconds (cumulative count 0)
99.920% <= 1.007 milliseconds (cumulative count 299760)
100.000% <= 1.407 milliseconds (cumulative count 300000)

Summary:
  throughput summary: 1345291.50 requests per second
  latency summary (msec):
          avg       min       p50       p95       p99       max
        0.393     0.112     0.343     0.663     0.815     1.359
"""


def test_report_is_read() -> None:
    report = parse_report(REPORT, generator_cpu_seconds=0.11)
    assert report.requests_per_second == 1345291.5
    assert (report.p50, report.p99, report.p999) == (0.343, 0.815, 0.999)
    assert report.seconds == 0.22
    assert report.generator_busy == pytest.approx(0.5)


def test_generator_is_never_more_than_wholly_busy() -> None:
    assert parse_report(REPORT, generator_cpu_seconds=9.0).generator_busy == 1.0


@pytest.mark.parametrize("lost", ["requests completed", "throughput summary", "p50", "99.902%"])
def test_report_with_a_part_missing_is_refused(lost: str) -> None:
    text = "\n".join(line for line in REPORT.splitlines() if lost not in line)
    if lost == "99.902%":
        text = text.replace("100.000%", "")
    with pytest.raises(MeasurementError, match="report lacks"):
        parse_report(text)
