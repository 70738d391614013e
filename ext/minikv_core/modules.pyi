# Nothing to use: its import fills the command table.
