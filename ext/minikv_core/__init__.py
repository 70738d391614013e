"""minikv's engine: arena, table, parser, sessions, commands and I/O models, in Cython."""
