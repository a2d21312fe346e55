"""The harness beside its peers and beside the machine's limit: `make bench` makes the tables of docs/performance.md."""
