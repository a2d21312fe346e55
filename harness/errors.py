"""Errors a user can act on; each carries the exit code the command line ends with."""


class HarnessError(Exception):
    """What went wrong and what to do next, in words for the user. Exit code 1."""

    exit_code = 1


class ConfigError(HarnessError):
    """A config, option or data file that cannot be used; `problems` holds one line each. Exit code 2."""

    exit_code = 2

    def __init__(self, *problems: str):
        super().__init__("\n".join(problems))
        self.problems = problems

    def __reduce__(self):
        return type(self), self.problems


class ResultsError(HarnessError):
    """A results folder that is missing, damaged, or made from another config. Exit code 2."""

    exit_code = 2


class DomainError(HarnessError):
    """A question theory has no answer to: says what its domain is and what to do instead. Exit code 2."""

    exit_code = 2
