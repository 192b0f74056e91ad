"""Files of commands that are torn, nested without end, or name what there is not: one line, exit status 2."""

import numpy as np
import pytest
import yaml

from mec_offloading.commands import simulate
from mec_offloading.commands.common.settings import load_yaml
from mec_offloading.commands.fuzzing.bad_files import bad_files
from mec_offloading.commands.fuzzing.tally import Tally


def test_torn_folders():
    tally = Tally("fuzz", 0)
    for batch in range(6):
        bad_files(np.random.default_rng([1, batch]), tally)
    assert not tally.found
    assert tally.inputs["bad files"] >= 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--device", "potato", "--replicas", "2"], "device must be one that torch has here"),
        (["--frames", str(10**30)], "frames must be at most"),
        (["--agent.memory_size", str(10**15)], "memory_size must be such that"),
        (["--env.num_users", str(2**70)], "num_users must be a whole number, 1 to 16777216"),
    ],
)
def test_numbers_and_devices_that_are_not_there(arguments, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        simulate.main([*arguments, "--output", str(tmp_path / "run")])
    assert ended.value.code == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert message in line


def test_yaml_that_grows_or_holds_itself():
    shared = "a: &a [x]\nb: [*a, *a]\n"
    assert load_yaml(shared) == {"a": ["x"], "b": [["x"], ["x"]]}
    laughs = "a: &a [" + "x," * 9 + "]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        laughs += f"{name}: &{name} [" + f"*{before}," * 9 + "]\n"
    with pytest.raises(yaml.YAMLError, match="entries at most"):
        load_yaml(laughs)
    with pytest.raises(yaml.YAMLError, match="must not hold itself"):
        load_yaml("env: &a {b: *a}\n")
