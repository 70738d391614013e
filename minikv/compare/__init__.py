"""`minikv compare`: every I/O model over one engine, measured against one another.

Reading order: `scenarios` (what is measured), `measure` (one turn), `runner` (all turns), `results` (what is
made of them); underneath `targets` and `server` (what runs), `processes` and `syscalls` (what it costs),
`machine` and `wire`; on top `table`, `charts` and `report`, and `command`, the command line.
"""
