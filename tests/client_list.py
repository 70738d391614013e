"""Reading CLIENT LIST."""


def fields(line):
    """A line of CLIENT LIST as a dictionary."""
    return dict(word.split("=", 1) for word in line.strip().split(" "))
