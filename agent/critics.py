"""Critics in machine code: an agent that decides in machine code need not leave it to ask for values."""

from typing import Any


def critic_in_machine_code(evaluate: Any) -> tuple[int, int] | None:
    """The addresses of a C function that values decisions, and of what it is to be given in this frame.

    None unless the critic has an attribute `in_machine_code` that says them, a function without arguments (of a
    method, with its owner as argument). That has an attribute `of`, the critic whose values those are: what is
    wrapped around it, attributes and all, has values of its own. And it may have an attribute `valued`, a function
    that is told of how many decisions values were asked.

    The C function is ``int64_t f(void *given, const int64_t *decisions, int64_t L, int64_t N, double *values)``:
    it fills in the values (L,) of decisions (L, N) and returns 1, or anything else: then the critic is called.
    """
    says = getattr(evaluate, "in_machine_code", None)
    if says is None or getattr(says, "of", None) is not getattr(evaluate, "__func__", evaluate):
        return None
    owner = getattr(evaluate, "__self__", None)
    addresses: tuple[int, int] | None = says() if owner is None else says(owner)
    return addresses
