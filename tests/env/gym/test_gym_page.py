"""The program of docs/gymnasium.md that trains a PPO in each world, in few steps."""

import re
from pathlib import Path

import numpy as np
import pytest

from env.gym import IDS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "gymnasium.md"


@pytest.mark.parametrize("name", ["AtMost", "Age"])
def test_all_methods_meet_the_same_frames(name):
    pytest.importorskip("stable_baselines3")
    (code,) = re.findall(r"```python\n(# train_ppo\.py\n.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    program = {"__name__": "train_ppo"}
    exec(compile(code, "train_ppo.py", "exec"), program)
    program["FRAMES"] = 20
    name = f"mec_offloading/{name}-v0"
    found = program["compared"](name, 64)
    assert found.keys() == {"PPO", "random", "agent"}
    for values, optima, metrics in found.values():
        assert len(values) == len(optima) == 20
        assert np.isfinite(optima).all()
        assert (np.array(values) <= np.array(optima) + 1e-9).all()
        assert metrics.keys() == IDS[name]().frame_metrics().keys()
    if not IDS[name].decisions_matter_later:
        assert found["PPO"][1] == found["random"][1] == found["agent"][1]
