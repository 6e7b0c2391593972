"""T-Loss: the mask as a whole is a draw of a Student-t distribution around the prediction; its tail is learned.

With D numbers in a mask and d the squared distance between prediction and label, an image costs

    log G(nu / 2) - log G((nu + D) / 2) + D / 2 log(pi nu) + (nu + D) / 2 log(1 + d / nu)

(G the gamma function). The further off a mask, the less each of its pixels pulls; nu, which is learned with the
network, says from where on.

Source: Gonzalez-Jimenez et al., Robust T-Loss for medical image segmentation, MICCAI 2023 (one foreground class).
Differs: 1. for K classes, d is half the squared distance between probabilities and one-hot labels, and a pixel counts
K - 1 numbers: for K = 2 this is the published loss. 2. Unlabelled pixels are left out of d and D. 3. Divided by D, so
that its size is that of other losses (the released value grows with the pixels); with AdamW this changes nothing but
the weight against other terms. 4. The covariance is the identity, as printed, and nu starts at 1; the released code
keeps the logarithms of the precisions at 1, so they are e, and starts at nu = e for its parameter of 1.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from noisylabels.errors import UsageError
from noisylabels_plugins.parts.labelled import one_hot


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Parameters of the T-Loss.

    Attributes:
        nu: where the degrees of freedom start, above 0; the smaller, the heavier the tail.
    """

    nu: float = 1.0

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        if not 0 < self.nu < math.inf:
            raise UsageError(f"nu must be above 0, not {self.nu}.")


class Loss(nn.Module):
    """Student-t negative log-likelihood of each mask by the number of its labelled pixels; mean over labelled images.

    Attributes:
        log_nu: logarithm of the degrees of freedom, learned.
    """

    def __init__(self, params: Params, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.log_nu = nn.Parameter(torch.tensor(math.log(params.nu)))

    def forward(self, log_probs: Tensor, labels: Tensor) -> Tensor:
        """Scalar for (B, K, *S) and (B, *S); 0 when no image has labels."""
        targets = one_hot(labels, self.num_classes, log_probs.dtype)
        used = targets.sum(1, keepdim=True)
        # The gamma functions of a mask nearly cancel; float32 would lose the first decimal of the difference.
        distance = 0.5 * ((log_probs.exp() - targets).square() * used).flatten(1).sum(1).double()
        size = used.flatten(1).sum(1).double() * (self.num_classes - 1)
        nu = self.log_nu.double().exp()
        likelihood = (
            torch.lgamma((nu + size) / 2)
            - torch.lgamma(nu / 2)
            - size / 2 * torch.log(math.pi * nu)
            - (nu + size) / 2 * torch.log1p(distance / nu)
        )
        images = (size > 0).sum().clamp(min=1)
        return (-(likelihood / size.clamp(min=1)).sum() / images).to(log_probs.dtype)
