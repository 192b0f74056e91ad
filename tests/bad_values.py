"""What nobody should pass where numbers are asked for, by names for the tests."""

import numpy as np

BAD = {
    "text": "x",
    "bytes": b"x",
    "nothing": None,
    "mixed": [1, "a"],
    "ragged": [[1], [1, 2]],
    "object": object(),
    "nan": float("nan"),
    "infinity": float("inf"),
    "negative": -1,
    "fraction": 2.5,
    "complex": 1j,
    "mapping": {"a": 1},
    "empty": [],
    "nans": np.full(3, np.nan),
    "objects": np.array([None, 1], dtype=object),
    "set": {1},
    "class": int,
    "huge": 2**70,
    "wide": 2**63,
    "long name": "a" * 300,
    "null byte": "a\x00b",
    "no array": np.array(3.5),
}
