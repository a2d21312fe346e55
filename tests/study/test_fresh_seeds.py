"""Claims, those about training too, are about every seed: what holds with the shipped ones holds with others.

`make soak` tries eight seeds.
"""

import pytest
from command import ROOT
from disturbed import SOAK

from harness.execution.dispatch import Resources
from harness.study import verify
from harness.study.claims import GOOD

# Of these, 1898023822 and 1236361628 once left three claims undecided, whose intervals were as wide as their bands, and
# seven about training undecided or failing: few draws, too short an axis of learning rates, or too few steps.
SEEDS = (1898023822, 1236361628, 1, 2, 3, 4, 5, 6)


@pytest.mark.slow
@pytest.mark.skipif(not SOAK, reason="minutes a seed; under make soak")
@pytest.mark.parametrize("seed", SEEDS)
def test_no_claim_fails_with_another_seed(tmp_path, monkeypatch, seed):
    monkeypatch.chdir(ROOT)
    request = verify.Request((), verify.CI, seed, out=tmp_path)
    done = [verify.verify_sweep(job, request, Resources("auto"), None, print) for job in verify.jobs(request)]
    bad = [(one.job.sweep, verdict) for one in done for verdict in one.verdicts if verdict.grade not in GOOD]
    assert bad == []
