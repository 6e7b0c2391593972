"""Updates in mixed precision: what must be computed in fp32, and what several optimisers or updates share."""

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from noisylabels_plugins.losses import ce
from noisylabels_plugins.parts.transition import Transition, log_given
from noisylabels_plugins.update import Updates


class Products(TorchDispatchMode):
    """The types of all matrix products."""

    def __init__(self):
        super().__init__()
        self.types = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if "mm" in str(func):
            self.types |= {one.dtype for one in args if isinstance(one, torch.Tensor)}
        return func(*args, **(kwargs or {}))


def one_part(updates):
    updates.start()
    updates.part(1.0, True, True)
    return updates


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_gradients_through_a_transition_matrix_are_those_of_fp32(kind):
    labels = torch.randint(0, 4, (2, 16, 16), generator=torch.Generator().manual_seed(0))

    def results(mixed):
        generator = torch.Generator().manual_seed(1)
        logits = nn.Parameter(torch.randn(2, 4, 16, 16, generator=generator))
        matrix = Transition(4)
        optimizer = torch.optim.SGD([logits, *matrix.parameters()], 0.1)
        with torch.autocast("cpu", kind, enabled=mixed), Products() as products:
            loss = ce.Loss(ce.Params(), 4)(log_given(logits, matrix()), labels)
            one_part(Updates())(loss, optimizer)
        return products.types, logits.detach(), matrix.weight.detach()

    (_, *plain), (types, *mixed) = results(False), results(True)
    assert types == {torch.float32}
    for one, other in zip(plain, mixed, strict=True):
        assert torch.equal(one, other)


def test_a_second_update_in_a_step_sees_the_weights_of_the_first():
    def losses(mixed):
        torch.manual_seed(0)
        net, x = nn.Linear(8, 8), torch.randn(4, 8)
        optimizer, updates = torch.optim.SGD(net.parameters(), 0.5), one_part(Updates())
        found = []
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            for _ in range(2):
                loss = net(x).float().square().mean()
                updates(loss, optimizer)
                found.append(loss.item())
        return found

    plain, mixed = losses(False), losses(True)
    assert plain[1] < 0.8 * plain[0]
    assert mixed == pytest.approx(plain, rel=0.02)


def test_an_overflow_leaves_out_the_step_of_every_optimiser():
    one, other = nn.Parameter(torch.ones(())), nn.Parameter(torch.ones(()))
    optimizers = torch.optim.SGD([one], 0.1, fused=True), torch.optim.Adam([other], 0.1)
    updates = one_part(Updates(torch.amp.GradScaler("cpu", init_scale=2.0**100)))
    updates(one * 1e9 + other * 1e-3, *optimizers)  # the first gradient overflows, the second does not
    assert one.item() == other.item() == 1
