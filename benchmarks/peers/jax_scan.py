"""JAX: jit and vmap over networks of a scan up the layers and a scan down, each layer pulled back by jax.vjp.

Gradients are measured inside of the scan and never stacked, which is faster than jax.grad with zeros added to z and r.
XLA reads subnormal numbers as zero of its own accord.
"""

from functools import cache, partial

import jax
import numpy as np
from jax import numpy as jnp

from benchmarks.grids import Stack
from benchmarks.peers import Columns, Peer, log10_columns

jax.config.update("jax_enable_x64", True)  # float64 at all; float32 stays float32

PHI = {"relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid}
Networks = tuple[jax.Array, jax.Array, jax.Array]  # W (networks, depth, n, n), x and y (networks, batch, n)


def draw(stack: Stack, dtype: str) -> Networks:
    return compiled(stack, dtype)[0](jax.random.key(0))


def given(stack: Stack, weights: np.ndarray, x: np.ndarray, y: np.ndarray) -> Networks:
    return jnp.asarray(weights), *(jnp.tile(a, (len(weights), 1, 1)) for a in (x, y))


def record(stack: Stack, networks: Networks) -> Columns:
    values = np.asarray(compiled(stack, networks[0].dtype.name)[1](*networks), dtype=np.float64)
    names = (
        "grad_weights",
        "grad_biases",
        "grad_preactivations",
        "max_grad_preactivations",
        "grad_outputs",
        "rms_outputs",
    )
    *norms, slope_mean, dead = values.swapaxes(0, 1)  # (networks, depth) each
    return log10_columns(dict(zip(names, norms, strict=True)), {"slope_mean": slope_mean, "dead_fraction": dead})


@cache
def compiled(stack: Stack, dtype: str) -> tuple[jax.stages.Compiled, jax.stages.Compiled]:
    """The draws of a stack, and its record."""
    normal = jax.jit(partial(normal_draws, stack, dtype)).lower(jax.random.key(0)).compile()
    shapes = jax.eval_shape(partial(normal_draws, stack, dtype), jax.random.key(0))
    return normal, jax.jit(jax.vmap(partial(one_network, PHI[stack.activation]))).lower(*shapes).compile()


def normal_draws(stack: Stack, dtype: str, key: jax.Array) -> Networks:
    networks, n = len(stack.scales), stack.width
    for_W, for_x, for_y = jax.random.split(key, 3)
    W = jax.random.normal(for_W, (networks, stack.depth, n, n), dtype)
    data = (jax.random.normal(k, (networks, stack.batch, n), dtype) for k in (for_x, for_y))
    return W * jnp.asarray(stack.gains, dtype)[:, None, None, None], *data


def one_network(phi, W: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
    """(measures, depth)"""

    def up(r, W):
        z = r @ W
        return phi(z), (r, z, outputs(phi, phi(z)))

    def down(grad_r, layer):
        r, z, W = layer
        (delta,) = jax.vjp(phi, z)[1](grad_r)
        below, grad_W = jax.vjp(jnp.matmul, r, W)[1](delta)
        return below, (norm(grad_W), norm(delta.sum(0)), norm(delta), jnp.abs(delta).max(), norm(grad_r))

    r, (rs, zs, on_the_way_up) = jax.lax.scan(up, x, W)
    _, on_the_way_down = jax.lax.scan(down, (r - y) / len(x), (rs, zs, W), reverse=True)
    return jnp.stack((*on_the_way_down, *on_the_way_up))


def outputs(phi, r: jax.Array) -> tuple[jax.Array, ...]:
    """Root mean square, mean slope, dead fraction."""
    rms = norm(r) / r.size**0.5
    if phi is jax.nn.relu:
        return rms, (r > 0).mean(dtype=r.dtype), 1 - (r > 0).any(0).mean(dtype=r.dtype)
    return rms, (r * (1 - r)).mean(), jnp.zeros((), r.dtype)


def norm(a: jax.Array) -> jax.Array:
    return jnp.sqrt(jnp.sum(a * a))


PEER = Peer("JAX vmap, jit, scan", draw, given, record, compile=compiled)
