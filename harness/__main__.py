"""`python -m harness` is the `harness` command."""

from harness.interface.commands import main

if __name__ == "__main__":
    main()
