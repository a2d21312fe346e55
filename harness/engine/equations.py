"""Forward and backward through a deep network: the equations, and nothing else.

Row vectors; layers are numbered as on paper: r[0] = x, and W[k] leads from r[k] to z[k+1], for k = 0 … L−1.

    forward   z[k+1] = r[k] @ W[k] + b[k]                  r[k+1] = phi(z[k+1])

The cost C depends on r[L] alone. The chain rule, one layer at a time from the output down, gives its gradient. phi acts
on each unit by itself, so its derivative multiplies elementwise:

    (1)       ∂C/∂z[k+1] = ∂C/∂r[k+1] * phi'(z[k+1])       called delta

z[k+1] is linear in r[k], in W[k] and in b[k], so delta is multiplied by what each of them is multiplied by:

    (2)       ∂C/∂r[k]   = ∂C/∂z[k+1] @ W[k].T
    (3)       ∂C/∂W[k]   = r[k].T @ ∂C/∂z[k+1]             ∂C/∂b[k] = sum over the batch of ∂C/∂z[k+1]

(2) is the ∂C/∂r that (1) needs one layer below. A gradient that reaches layer k has therefore been multiplied by one
slope phi' and one W.T for every layer above: this is how it vanishes or explodes.

An array is a `Scaled` (…, batch, width): a mantissa with an integer exponent for each network, so that gradients of
10^-3000 neither underflow nor lose digits. All leading axes are networks that are computed side by side; one network
alone has the shape (1, 1, batch, width). Source: Rumelhart, Hinton & Williams 1986.
"""

from harness.base.arrays import Array
from harness.base.scaled import Scaled, Slope, Weights
from harness.engine.activate import activate
from harness.engine.layers import Layer
from harness.networks.activations import Activation
from harness.networks.costs import COSTS


def layer_forward(r: Scaled, W: Weights, b: Scaled | None, activation: Activation, out: Layer | None = None) -> Layer:
    """One layer forward, from r[k] to r[k+1] and phi'(z[k+1]); written into `out` if it is given.

    r is (…, batch, fan_in); the layer's arrays are (…, batch, fan_out). b is None where there are no biases.
    """
    z = preactivations(r, W, b)
    return activate(z, activation, out)  # r = phi(z), slope = phi'(z)


def preactivations(r: Scaled, W: Weights, b: Scaled | None) -> Scaled:
    """z[k+1] from r[k], (…, batch, fan_out)."""
    return r @ W + b


def cost_gradient(r: Scaled, y: Scaled, cost: str) -> tuple[Array, Scaled]:
    """log10 of |C|, (…), and ∂C/∂r[L], (…, batch, width), from r[L] and the targets; `cost` is a name in COSTS.

    squared: C = mean over the batch of ½‖r − y‖², so ∂C/∂r = (r − y)/batch. The others are in networks/costs.py.
    """
    return COSTS[cost].gradient(r, y)


def layer_backward(grad_r: Scaled, slope: Slope, W: Weights) -> tuple[Scaled, Scaled]:
    """One layer backward, from ∂C/∂r[k+1] to ∂C/∂z[k+1] and ∂C/∂r[k]: equations (1) and (2)."""
    delta = through_activation(grad_r, slope)
    return delta, through_weights(delta, W)


def through_activation(grad_r: Scaled, slope: Slope) -> Scaled:
    """∂C/∂z[k+1] from ∂C/∂r[k+1], normalised: equation (1)."""
    delta = (grad_r * slope).normalised()  # (1)
    return delta


def through_weights(delta: Scaled, W: Weights) -> Scaled:
    """∂C/∂r[k] from ∂C/∂z[k+1]: equation (2)."""
    grad_below = delta @ W.T  # (2)
    return grad_below


def weight_gradient(r_below: Scaled, delta: Scaled) -> Scaled:
    """∂C/∂W[k] from r[k] and ∂C/∂z[k+1], (…, fan_in, fan_out): equation (3)."""
    grad_W = r_below.T @ delta  # (3)
    return grad_W


def bias_gradient(delta: Scaled) -> Scaled:
    """∂C/∂b[k] from ∂C/∂z[k+1], (…, 1, fan_out): equation (3)."""
    grad_b = Scaled(delta.total[..., None, :], delta.exponent)  # (3)
    return grad_b
