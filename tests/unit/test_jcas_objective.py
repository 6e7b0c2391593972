"""JCAS's objective written out, with N x N maps, the place of every label and all weights, against what it uses."""

import pytest
import torch
import torch.nn.functional as F
from toy_training import objective_of, toy_batch, toy_task, two_headed

from noisylabels.case import IGNORE
from noisylabels_plugins.api import Progress
from noisylabels_plugins.methods import jcas

AT = Progress(epoch=0, step=0, steps=10, schedule=lambda fraction: 1.0)
GIVEN = (0.5, 0.2, 0.2, 0.1)
GRID = (12, 10)


def make(batch, **values):
    """Two heads, the correction on from the start, and matrices and proportions that follow from nothing else."""
    torch.manual_seed(0)
    task = two_headed(toy_task(batch))
    method = jcas.Method(jcas.Params(warmup=0.0, stride=2, transition_start="fixed", **values), task)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for matrix in (method.class_transition, method.pair_transition):
            matrix.weight.copy_(torch.randn(matrix.weight.shape, generator=generator) - 1)
    method.given_proportions = torch.tensor(GIVEN)
    return method


def resized(x, size):
    return F.interpolate(x, size, mode="bilinear", align_corners=True)


def reasoning(q, affinity, published):
    """What one image's (N, K) gains from its own kind and from all others."""
    to_same = affinity / affinity.sum(1, keepdim=True)
    to_other = 1 - (to_same if published else affinity)
    to_other = to_other / to_other.sum(1, keepdim=True)
    return ((q + to_same @ q) + (q - to_other @ q)) / 2 - q


def grid_labels(labels, published):
    """The release takes every second pixel; else the pixels under positions that reach from border to border."""
    if published:
        return labels[:, ::2, ::2].flatten(1)
    rows = [round(23 * i / 11) for i in range(12)]
    columns = [round(19 * i / 9) for i in range(10)]
    return labels[:, rows][:, :, columns].flatten(1)


def pair_loss(affinity, labels, matrix, published):
    """Mean over the pairs of all images; the release has self-pairs and takes IGNORE for a class."""
    terms = []
    for a, given in zip(affinity, labels, strict=True):
        agree = (1 - a) * matrix[0, 1] + a * matrix[1, 1]
        found = torch.where(given[:, None] == given[None], -agree.log(), -(1 - agree).log())
        if not published:
            both = (given != IGNORE)[:, None] & (given != IGNORE)[None]
            found = found[both & ~torch.eye(len(given), dtype=torch.bool)]
        terms.append(found.flatten())
    return torch.cat(terms).mean()


def class_loss(logits, matrix, labels):
    given = torch.einsum("bkyx,kn->byxn", logits.softmax(1), matrix)
    used = labels != IGNORE
    return -given[used].gather(1, labels[used][:, None]).log().mean()


def followed(matrix, proportions):
    """T of pairs by enumeration of all true and given classes of two pixels; index 0 different, 1 same."""
    table = torch.zeros(2, 2, dtype=torch.float64)
    classes = range(len(proportions))
    for m in classes:
        for n in classes:
            for i in classes:
                for j in classes:
                    table[int(m == n), int(i == j)] += (
                        proportions[m] * proportions[n] * matrix[m, i] * matrix[n, j]
                    )
    return table / table.sum(1, keepdim=True)


def written_out(method, batch, parts, published):
    t_class, t_pair = method.class_transition(), method.pair_transition()
    identity = torch.eye(4), torch.eye(2)
    through = (t_class, t_pair) if parts in ("all", "calc") else identity
    main = method.net(batch.image)
    total = torch.zeros(())
    for index, (output, head) in enumerate(zip((main, *main.aux), method.affinity, strict=True)):
        rows = resized(head(output.tap), GRID).relu().flatten(2).transpose(1, 2)
        rows = rows / (rows.norm(dim=2, keepdim=True) + 1e-9)
        affinity = rows @ rows.transpose(1, 2)
        affinity = affinity.clamp(1e-10, 1 - 1e-7)
        coarse = resized(output.logits, GRID)
        plain = resized(coarse, (24, 20)) if published else output.logits
        by_class = class_loss(plain, through[0], batch.labels)
        if parts in ("all", "dar"):
            q = coarse.flatten(2).transpose(1, 2)
            added = torch.stack([reasoning(*one, published) for one in zip(q, affinity, strict=True)])
            refined = plain + resized(added.transpose(1, 2).unflatten(2, GRID), (24, 20))
            by_class = by_class + class_loss(refined, through[0], batch.labels)
        by_pair = pair_loss(affinity, grid_labels(batch.labels, published), through[1], published)
        pair_weight = (0.1, 1.0)[index] if published else (1.0, 0.1)[index]
        total = total + (1.0, 0.1)[index] * by_class + pair_weight * 0.7 * by_pair
    if parts in ("affinity", "dar"):
        return total
    given = torch.tensor(GIVEN, dtype=torch.float64)
    if published:
        wanted = followed(t_class.double(), given).flip(0, 1)
    else:
        before = (given @ torch.linalg.inv(t_class.detach().double())).clamp(min=0)
        wanted = followed(t_class.double(), before / before.sum())
    consistency = (wanted - t_pair).square().mean()
    volume = torch.logdet(t_class) + torch.logdet(t_pair)
    return total + 0.5 * consistency + (0.5 if published else 1e-4) * volume


@pytest.mark.parametrize("variant", ["corrected", "published"])
@pytest.mark.parametrize("parts", ["all", "affinity", "dar", "calc"])
def test_the_objective_is_the_formula_written_out(parts, variant):
    batch = toy_batch(1)
    values = {"parts": parts, "variant": variant, "affinity_weight": 0.7, "consistency_weight": 0.5}
    method = make(batch, **values)
    found, _, optimizers = objective_of(method, batch, AT)
    wanted = written_out(method, batch, parts, variant == "published")
    assert found.item() == pytest.approx(wanted.item(), rel=1e-5)
    assert len(optimizers) == (2 if parts in ("all", "calc") else 1)
    learnt = [*method.net.parameters(), *method.affinity.parameters()]
    if len(optimizers) == 2:
        learnt += [method.class_transition.weight, method.pair_transition.weight]
    slopes = [torch.autograd.grad(loss, learnt) for loss in (found, wanted)]
    for one, other in zip(*slopes, strict=True):
        assert (one - other).norm() <= 2e-3 * other.norm() + 1e-6


def test_with_identities_and_no_affinity_it_is_cross_entropy_on_both_predictions():
    batch = toy_batch(1)
    method = make(batch, affinity_weight=0.0, consistency_weight=0.0, volume_weight=0.0)
    for matrix in (method.class_transition, method.pair_transition):
        torch.nn.init.constant_(matrix.weight, -60.0)
    main = method.net(batch.image)
    wanted = torch.zeros(())
    for index, output in enumerate((main, *main.aux)):
        rows = resized(method.affinity[index](output.tap), GRID).relu().flatten(2).transpose(1, 2)
        rows = rows / (rows.norm(dim=2, keepdim=True) + 1e-9)
        q = resized(output.logits, GRID).flatten(2).transpose(1, 2)
        added = torch.stack([reasoning(a, r @ r.T, False) for a, r in zip(q, rows, strict=True)])
        refined = output.logits + resized(added.transpose(1, 2).unflatten(2, GRID), (24, 20))
        for logits in (output.logits, refined):
            wanted = wanted + (1.0, 0.1)[index] * F.cross_entropy(logits, batch.labels, ignore_index=IGNORE)
    found, *_ = objective_of(method, batch, AT)
    assert found.item() == pytest.approx(wanted.item(), rel=1e-5)


def test_one_class_alone_says_nothing_about_pairs_of_different_classes():
    """Proportions before the noise that come out as one class: the first row of T_A is left to the data."""
    batch = toy_batch(1)
    method = make(batch, affinity_weight=0.0, volume_weight=0.0, consistency_weight=1e3)
    torch.nn.init.constant_(method.class_transition.weight, -2.0)
    method.given_proportions = torch.tensor([0.97, 0.01, 0.01, 0.01])
    loss, *_ = objective_of(method, batch, AT)
    (slope,) = torch.autograd.grad(loss, method.pair_transition.weight)
    assert slope[0, 1] == 0
    assert slope[1, 0] != 0


@pytest.mark.parametrize(
    ("variant", "kind", "lr", "scheduled"),
    [("corrected", torch.optim.Adam, 0.01, False), ("published", torch.optim.SGD, 3e-4, True)],
)
def test_the_matrices_have_their_own_optimiser(variant, kind, lr, scheduled):
    optimizer = make(toy_batch(1), variant=variant).transition_optimizer
    (group,) = optimizer.param_groups
    assert type(optimizer) is kind
    assert group["lr"] == pytest.approx(lr)
    assert group.get("scheduled", True) is scheduled
    if variant == "published":
        assert group["momentum"] == 0.9


@pytest.mark.parametrize(("epochs", "warm"), [(4, 2), (3, 2), (5, 3)])
def test_every_stage_has_the_schedule_to_itself(epochs, warm):
    """The warm-up ends with an epoch, and its schedule where it ends, not before."""
    batch, per_epoch = toy_batch(1), 10
    torch.manual_seed(0)
    method = jcas.Method(jcas.Params(warmup=0.5), toy_task(batch))
    seen = []
    for step in range(epochs * per_epoch):
        at = Progress(
            epoch=step // per_epoch,
            step=step,
            steps=epochs * per_epoch,
            per_epoch=per_epoch,
            schedule=lambda fraction: 1 - fraction,
        )
        _, stage, optimizers = objective_of(method, batch, at)
        seen.append((stage.lr_factor, len(optimizers)))
        if (step + 1) % per_epoch == 0:
            method.end_epoch([], at)
    first, second = warm * per_epoch, (epochs - warm) * per_epoch
    wanted = [(1 - i / first, 1) for i in range(first)] + [(1 - i / second, 2) for i in range(second)]
    assert [count for _, count in seen] == [count for _, count in wanted]
    assert [factor for factor, _ in seen] == pytest.approx([factor for factor, _ in wanted])
