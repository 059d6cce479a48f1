"""The Python that PyScript's worker runs: what the page may call."""

from pysims.widget import worker as _worker


def sim_call(name: str, text: str) -> str:
    """Calls a function that `pysims.widget.worker` exports; without a name, says it is ready."""
    if not name:
        return "ready"
    if name not in _worker.__all__:
        raise LookupError(f"pysims.widget.worker exports no {name!r}")
    return getattr(_worker, name)(text)  # type: ignore[no-any-return]


# PyScript makes what is listed here callable from the page.
__export__ = ["sim_call"]
