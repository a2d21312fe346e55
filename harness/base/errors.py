"""Errors that a user can act on; each carries the exit code of the command line."""

import errno


class HarnessError(Exception):
    """An error whose message tells the user what went wrong and what to do next. Exit code 1."""

    exit_code = 1


class ConfigError(HarnessError):
    """A config, option or data file that cannot be used; `problems` holds one line for each. Exit code 2."""

    exit_code = 2

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems

    def __reduce__(self) -> tuple[type["ConfigError"], tuple[str, ...]]:
        return type(self), self.problems


class ResultsError(HarnessError):
    """A results folder that is missing, damaged, or made from another config. Exit code 2."""

    exit_code = 2


class DomainError(HarnessError):
    """A question that theory cannot answer; the message names the domain and what to do instead. Exit code 2."""

    exit_code = 2


NO_MEMORY = "the system gives this process no more memory; raise its limit (ulimit -v), or use fewer --workers"
NO_PROCESSES = (
    "the system starts no more processes or threads; raise its limit (ulimit -u), or use fewer --workers; finished "
    "blocks are kept"
)


def shortage(error: BaseException) -> str | None:
    """What the system lacks, if that is the cause of an error: memory, or processes and threads."""
    cause: BaseException | None = error
    while cause is not None:
        text, number = str(cause).lower(), getattr(cause, "errno", None)
        if isinstance(cause, MemoryError) or number == errno.ENOMEM or "failed to map segment" in text:
            return NO_MEMORY
        if "cannot allocate memory" in text:
            return NO_MEMORY
        if "can't start new thread" in text or (number == errno.EAGAIN and isinstance(cause, OSError)):
            return NO_PROCESSES
        cause = cause.__cause__ or cause.__context__
    return None
