"""A teacher that is the running mean of its student.

Source: Tarvainen and Valpola, Mean teachers are better role models, NeurIPS 2017.
"""

import copy

import torch
from torch import nn


def teacher_of(student: nn.Module) -> nn.Module:
    """A copy that no gradient reaches."""
    return copy.deepcopy(student).requires_grad_(False)


@torch.no_grad()
def follow(teacher: nn.Module, student: nn.Module, decay: float) -> None:
    """Move the teacher towards its student: decay * teacher + (1 - decay) * student.

    Weights and the running statistics of normalisation alike, so that the teacher can predict in evaluation mode;
    whole numbers (such as counts of batches) are copied.

    Args:
        teacher: made by :func:`teacher_of`.
        student: what it was made of.
        decay: 0 (a copy of the student) .. 1 (stays as it is).
    """
    pairs = list(zip(_numbers(teacher), _numbers(student), strict=True))
    floats = [(own, new) for own, new in pairs if own.is_floating_point()]
    torch._foreach_lerp_([own for own, _ in floats], [new.detach() for _, new in floats], 1 - decay)
    for own, new in pairs:
        if not own.is_floating_point():
            own.copy_(new)


def _numbers(module: nn.Module) -> list[torch.Tensor]:
    return [*module.parameters(), *module.buffers()]


def early_decay(decay: float, step: int) -> float:
    """A decay that first gives a plain mean: at most 1 - 1 / (step + 1), updates done counted from 0."""
    return min(1 - 1 / (step + 1), decay)
