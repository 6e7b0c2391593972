"""Parts of noisylabels that come with an extra: asked for by the commands that use them."""

from importlib.util import find_spec

from noisylabels.errors import UsageError


def need(extra: str, *modules: str) -> None:
    """Refuse early when a library of an extra is not installed.

    Raises:
        UsageError: one is missing; the sentence says what to install.
    """
    for module in modules:
        if find_spec(module) is None:
            raise UsageError(
                f"This needs {module}, which is not installed; install noisylabels[{extra}] "
                "(for a CPU: the CPU build of torch first)."
            )
