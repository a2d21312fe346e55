"""A script that compares lanes computed together with lanes computed alone, under the BLAS kernel of the environment.

It prints one JSON object: the kernels that BLAS reports, and the columns that differ.
"""

import json
from itertools import product

from nets import KEYS, differing, run, spec
from threadpoolctl import threadpool_info

SHAPES = [(1, 1), (2, 5), (3, 1), (7, 3), (17, 33), (100, 7)]  # width, batch: on and off the kernels' tiles
ACTIVATIONS = ("relu", "tanh", "sigmoid", "gelu")


def difference(width: int, batch: int, dtype: str) -> list[str]:
    """The columns that differ between a block and the same networks computed one by one."""
    specs = [
        spec(name, init, scale, bias, depth, width, output_width=ends, output=output)
        for (name, init, scale, bias, depth), (ends, output) in product(
            zip(
                ACTIVATIONS,
                ("he_normal", "lecun_normal", "normal", "xavier_normal"),
                (1.0, 3.0, 0.5, 2.0),
                (0.0, 0.1, 0.0, 0.3),
                (6, 6, 2, 1),
                strict=True,
            ),
            ((width, "activation"), (2, "linear")),
        )
    ]
    specs.append(spec("tanh", "he_normal", 1.5, 0.1, 3, width))
    options = {"batch": batch, "dtype": dtype}
    layers, networks = run(specs, replicates=3, **options)
    found = []
    for place, one in enumerate(specs[1::2]):
        alone = run(one, range(place % 3, 3), **options)
        found += differing(alone[0], layers, KEYS) + differing(alone[1], networks, KEYS[:1])
    return sorted(set(found))


if __name__ == "__main__":
    report = {
        "kernels": [blas.get("architecture") for blas in threadpool_info() if blas["user_api"] == "blas"],
        "differ": {
            f"width {width}, batch {batch}, {dtype}": columns
            for width, batch in SHAPES
            for dtype in ("float64", "float32")
            if (columns := difference(width, batch, dtype))
        },
    }
    print(json.dumps(report))
