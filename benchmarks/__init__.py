"""Measures minikv beside every Redis-compatible server it finds on the machine.

    python -m benchmarks [--quick] [--scenarios a,b] [--servers a,b] [--repeat K] [--output DIR]

Reading order: `goals` (what is promised), `scenarios` (what is measured and how), `runner` (the turns),
`results` (medians and ratios), then `generator` and `resident` underneath, `report` and `charts` on top.
What starts and feeds servers is shared with `minikv.compare`: `peers`, `server`, `wire`, `machine`.
"""
