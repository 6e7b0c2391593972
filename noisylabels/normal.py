"""The normal quantile in exactly rounded operations, so that it gives the same bits everywhere.

Source: Wichura, Algorithm AS 241, Applied Statistics 37 (1988), routine PPND16: relative error about 1e-16.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_CENTRE = (
    (3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
     4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3),
    (1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
     2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3),
)  # fmt: skip
_SHOULDER = (
    (1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
     1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4),
    (1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
     1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9),
)  # fmt: skip
_TAIL = (
    (6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
     2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7),
    (1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
     7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15),
)  # fmt: skip

# ln 2 in two parts: the first has 32 significant bits, so that its product with an exponent is exact.
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10


def _horner(coefficients: tuple[float, ...], x: Array) -> Array:
    total = np.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total = total * x + coefficient
    return total


def exact_log(x: Array) -> Array:
    """Natural logarithm of positive numbers from + - * / and ``frexp`` alone (relative error below 1e-15).

    With x = m * 2**e and m in [sqrt(1/2), sqrt(2)): ln x = e ln 2 + 2 atanh((m - 1) / (m + 1)).
    """
    mantissa, exponent = np.frexp(x)
    low = mantissa < 0.7071067811865476
    mantissa = np.where(low, 2 * mantissa, mantissa)
    exponent = np.where(low, exponent - 1, exponent).astype(np.float64)
    s = (mantissa - 1) / (mantissa + 1)
    series = _horner(tuple(2.0 / (2 * k + 1) for k in range(12)), s * s) * s
    return np.asarray(exponent * _LN2_HIGH + (exponent * _LN2_LOW + series))


def normal_quantile(p: Array) -> Array:
    """The z with P(Z <= z) = p for a standard normal Z.

    Args:
        p: probabilities, any shape, strictly between 0 and 1.
    """
    p = np.asarray(p, dtype=np.float64)
    q = p - 0.5
    central = 0.180625 - q * q
    z = q * _horner(_CENTRE[0], central) / _horner(_CENTRE[1], central)
    outer = np.abs(q) > 0.425
    if outer.any():
        edge = np.minimum(p, 1 - p)[outer]
        r = np.sqrt(-exact_log(edge))
        near, far = r - 1.6, r - 5
        size = np.where(
            r <= 5,
            _horner(_SHOULDER[0], near) / _horner(_SHOULDER[1], near),
            _horner(_TAIL[0], far) / _horner(_TAIL[1], far),
        )
        z = np.array(z)
        z[outer] = np.where(q[outer] < 0, -size, size)
    return np.asarray(z)
