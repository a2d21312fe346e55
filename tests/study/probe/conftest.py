"""The tests of verdicts on models need PyTorch, which only `make test-torch` installs; those of rules do not."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("torch") else ["test_architectures.py", "test_probe*.py", "test_verdicts.py"]
