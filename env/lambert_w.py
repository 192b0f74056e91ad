"""The link between a price of time and the signal-to-noise ratio at which a user transmits (Lambert W)."""

import numpy as np

from .arrays import Array, namespace

SMALL_PRICE = 1e-9
"""Below it the series is exact to 1e-13, where the difference is not."""
_TINY = float(np.finfo(np.float64).tiny)


def log_snr(price: Array) -> Array:
    """Solve ``s - 1 + exp(-s) = price`` for ``s = ln(1 + y)``, elementwise (design of the allocation, eq. 1).

    This is the relation between the price of time (over ``w epsilon``, dimensionless, >= 0) and the
    signal-to-noise ratio y at which a user transmits; the papers write it with the Lambert W function. The
    first guess is within 1 %, and two Newton steps square that twice: 1e-9 relative or better. Below `SMALL_PRICE`
    the left side is a small difference; there s is the series ``q + q^2 / 6 + q^3 / 36`` in ``q = sqrt(2 price)``.
    """
    xp = namespace(price)
    root = xp.sqrt(2 * price)
    s = price - xp.expm1(-(root + price / 3))
    for _ in range(2):
        s = s - (s + xp.expm1(-s) - price) / (-xp.expm1(-s)).clip(_TINY)
    return xp.where(price < SMALL_PRICE, root + price / 3 + root * price / 18, s)
