"""FUNCTION: there is no scripting yet, so there are no functions; tools that flush or list them may do so."""

from minikv.registry import NOSCRIPT, OK, WRITE, ReplyError, Session, Simple, command, define

define(
    "FUNCTION", None, arity=-2, flags=0, group="scripting", since="7.0.0", cost="that of the subcommand",
    summary="Manage the functions of scripts, of which there are none yet.",
)  # fmt: skip


@command(
    "FUNCTION FLUSH", arity=-2, flags=NOSCRIPT | WRITE, group="scripting", since="7.0.0",
    cost="O(N) for N functions", tips=("request_policy:all_shards", "response_policy:all_succeeded"),
    summary="Delete all functions.", args="[ASYNC|SYNC]",
)  # fmt: skip
def function_flush(session: Session, *words: bytes) -> Simple:
    if len(words) > 1:
        raise ReplyError(
            "ERR unknown subcommand or wrong number of arguments for 'flush'. Try FUNCTION HELP."
        )
    if words and words[0].lower() not in (b"async", b"sync"):
        raise ReplyError("ERR FUNCTION FLUSH only supports SYNC|ASYNC option")
    return OK


@command(
    "FUNCTION LIST", arity=-2, flags=NOSCRIPT, group="scripting", since="7.0.0", cost="O(N) for N functions",
    tips=("nondeterministic_output_order",), summary="List the libraries of functions.",
    args="[LIBRARYNAME library-name-pattern] [WITHCODE]",
)  # fmt: skip
def function_list(session: Session, *words: bytes) -> list[object]:
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word.lower() == b"libraryname":
            if not rest:
                raise ReplyError("ERR library name argument was not given")
            rest.pop(0)
        elif word.lower() != b"withcode":
            raise ReplyError(f"ERR Unknown argument {word.decode('latin-1')}")
    return []
