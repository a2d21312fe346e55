"""What stands between and beside the layers of a network: normalisations, and residual connections."""
