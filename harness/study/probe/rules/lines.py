"""How remedies are written: as lines of PyTorch for a model of PyTorch, in words for arrays of any framework."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.study.probe.findings import Case


@dataclass(frozen=True)
class Lines:
    """Parts of remedies that name functions of a framework."""

    normal: str  # weights of a given σ_w
    zero_biases: str
    zero_branch: str
    logits: str
    loss_scale: str
    adam: str
    inits: Mapping[str, str] = field(default_factory=dict)  # of activations whose usual initialisation has a name

    def init(self, activation: str, sigma_w: float) -> str:
        """Weights with σ_w, and no biases."""
        return f"{self.inits.get(activation, self.normal.format(sigma_w=sigma_w))}; {self.zero_biases}"


TORCH = Lines(
    normal="nn.init.normal_(m.weight, std={sigma_w:.4g} / m.weight[0].numel() ** 0.5)",
    zero_biases="nn.init.zeros_(m.bias)",
    zero_branch="start the last layer of each branch at zero (nn.init.zeros_(block.last.weight))",
    logits="give the loss the logits (F.cross_entropy, F.binary_cross_entropy_with_logits)",
    loss_scale="torch.amp.GradScaler(init_scale=2.0**{power})",
    adam="torch.optim.Adam(..., eps=1e-20)",
    inits={
        "relu": 'nn.init.kaiming_normal_(m.weight, nonlinearity="relu")',
        "leaky_relu": 'nn.init.kaiming_normal_(m.weight, a=0.01, nonlinearity="leaky_relu")',
        "selu": 'nn.init.kaiming_normal_(m.weight, nonlinearity="linear")',
    },
)
ANY = Lines(
    normal="normal weights with a standard deviation of {sigma_w:.4g} / sqrt(fan_in)",
    zero_biases="biases of 0",
    zero_branch="start the last layer of each branch at zero",
    logits="give the loss the logits, with softmax or sigmoid and logarithm in one function",
    loss_scale="multiply the loss by 2.0**{power}, and divide the gradients by it",
    adam="Adam with eps=1e-20",
)


def lines(case: Case) -> Lines:
    return TORCH if case.recording.of_torch else ANY
