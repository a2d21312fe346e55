"""The tests here need PyTorch, which only `make test-torch` installs."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("torch") else ["test_*.py"]
