"""A learned transition matrix T[true, given], and the probabilities through it.

Source: Li et al., Provably end-to-end label-noise learning without anchor points (VolMinNet), ICML 2021.
"""

import torch
from torch import Tensor, nn


class Transition(nn.Module):
    """T = row-normalised (I + sigmoid(w) off the diagonal): rows sum to 1, the diagonal is the largest entry.

    With ``initial`` = -2 the diagonal starts at 0.737 for K = 4 and at 0.893 for K = 2. A class that keeps less than
    its strongest confusion cannot be expressed.
    """

    def __init__(self, num_classes: int, initial: float = -2.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((num_classes, num_classes), initial))

    @torch.no_grad()
    def start_from(self, counts: Tensor) -> None:
        """Set T to observed counts[true, given] as far as it can express them.

        An entry off the diagonal is kept within 1e-3 .. 0.99 times its diagonal entry; a class never seen keeps its
        row.

        Args:
            counts: (K, K), not negative.
        """
        ratio = (counts / counts.diagonal()[:, None].clamp(min=1e-12)).clamp(1e-3, 0.99)
        seen = counts.sum(1) > 0
        self.weight[seen] = torch.logit(ratio[seen]).to(self.weight)

    def forward(self) -> Tensor:
        """The matrix, (K, K)."""
        eye = torch.eye(len(self.weight), device=self.weight.device)
        raw = eye + torch.sigmoid(self.weight.float()) * (1 - eye)
        return raw / raw.sum(1, keepdim=True)


def log_volume(matrix: Tensor) -> Tensor:
    """Logarithm of |det T|, at most 0; finite down to a determinant of 1e-12.

    Minimising it picks, among all the matrices that explain the given labels, the one that encloses the class
    posteriors most tightly. It has no lower bound, so its weight must stay far below the data term's.
    """
    regular = torch.linalg.slogdet(matrix.detach()).logabsdet > -27.6
    # Rows that have become alike have no slope (it would be NaN); the data term must part them again.
    safe = torch.where(regular, matrix, torch.eye(len(matrix)).to(matrix))
    return torch.where(regular, torch.linalg.slogdet(safe).logabsdet, -27.6)


def log_given(logits: Tensor, matrix: Tensor | None) -> Tensor:
    """Log-probabilities of the given label, P(given) = softmax(logits) T: the forward correction.

    Args:
        logits: (B, K, *S), of the true class.
        matrix: T, (K, K); None for the identity, which leaves the plain log-softmax.

    Returns:
        (B, K, *S) float32 or float64; probabilities below 1e-10 count as this value, and have no slope.
    """
    logits = logits if logits.dtype == torch.float64 else logits.float()
    if matrix is None:
        return logits.log_softmax(1)
    with torch.autocast(logits.device.type, enabled=False):  # the product would lose its digits
        given = torch.einsum("bk...,kn->bn...", logits.softmax(1), matrix.to(logits.dtype))
    return given.clamp(min=1e-10).log()


def class_to_affinity(matrix: Tensor, proportions: Tensor) -> Tensor:
    """The 2 x 2 transition matrix of pixel pairs that follows from T when pixels flip independently.

    Index 0 is *different class*, 1 is *same class*; rows are the truth. With n the class proportions:
    P(same | same) = S / sum n_m^2 and P(same | different) = (|nT|^2 - S) / ((sum n)^2 - sum n_m^2),
    where S = sum_m n_m^2 |T_m|^2 and T_m is row m.

    Source: JCAS, MICCAI 2022 (the poster prints the numerator of the second line the wrong way round).

    Args:
        matrix: T, (K, K).
        proportions: n, (K,), of the true classes; any positive scale.
    """
    kind = matrix.dtype
    matrix, proportions = matrix.double(), proportions.double()  # near one class float32 has no digits left
    squared = proportions.square()
    kept = (squared * matrix.square().sum(1)).sum()
    same = squared.sum()
    different = (proportions.sum().square() - same).clamp(min=1e-12)
    same_same = kept / same.clamp(min=1e-12)
    given = (proportions[:, None] * matrix).sum(0)  # no matrix product: those lose digits in mixed precision
    different_same = (given.square().sum() - kept) / different
    return torch.stack(
        [torch.stack([1 - different_same, different_same]), torch.stack([1 - same_same, same_same])]
    ).to(kind)


def true_proportions(given: Tensor, matrix: Tensor) -> Tensor:
    """Class proportions n before the noise, from those after it: n T = given, clipped to the simplex.

    A matrix that cannot be inverted tells nothing about them: then they are those after the noise.

    Args:
        given: proportions of the given labels, (K,).
        matrix: T, (K, K); used as a constant.
    """
    # Not lstsq: its default driver on a CPU gives other last digits from call to call.
    solved, failed = torch.linalg.solve_ex(matrix.detach().T.double(), given.double())
    kept = torch.where(failed == 0, solved, given.double()).clamp(min=0)
    return (kept / kept.sum().clamp(min=1e-12)).to(given.dtype)
