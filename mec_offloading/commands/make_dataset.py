"""Write channel gains with certified optimal decisions, in the layout of the published data sets, or check a file.

python scripts/make_dataset.py --env.num_users 30 --rows 10000 --output data_30.mat
python scripts/make_dataset.py --check data_30.mat
"""

import sys
from pathlib import Path

import numpy as np
from jsonargparse import ArgumentParser

from env import InputError, WirelessPoweredMEC

from .common import trust
from .common.errors import explained
from .common.help import in_parts
from .common.progress import tqdm
from .common.settings import add_environment, make_environment

BLOCK = 500
"""Rows between two steps of the progress bar."""


def main() -> None:
    """Variables: input_h, output_mode, output_a, output_tau, output_obj as published, and output_bound.

    Row r of each is frame r: gains (N,), optimal decision (N,), charging time, transmit times (N,), rate in bit/s,
    and a bound in bit/s that no decision exceeds.
    """
    parser = ArgumentParser(description=str(__doc__).splitlines()[0], exit_on_error=False, allow_abbrev=False)
    parser.add_argument("--output", type=str, default=None, help="a .mat or .npz file that does not exist yet")
    parser.add_argument("--check", type=str, default=None, help="a recorded trace whose labels are looked at")
    parser.add_argument(
        "--allow", type=str, action="append", help="module of yours whose classes the settings may name"
    )
    parser.add_argument("--rows", type=int, default=10_000, help="frames")
    parser.add_argument("--seed", type=int, default=0, help="of the channel")
    fixed = {"seed", "observation", "gain_scale", "replicas", "device"}
    add_environment(parser, WirelessPoweredMEC, [], fixed)
    in_parts(parser, "env")
    with explained():
        trust.allow(trust.early(sys.argv[1:]))
        settings = parser.parse_args(sys.argv[1:])
        if (settings.output is None) == (settings.check is None):
            raise InputError(f"one of output and check must be given, got {settings.output} and {settings.check}")
        if settings.check is not None:
            print(check(make_environment(parser, settings, WirelessPoweredMEC, channel=settings.check)))
            return
        output = Path(settings.output)
        if output.suffix not in {".mat", ".npz"}:
            raise InputError(f"output must be a .mat or .npz file, got {output}")
        if output.exists():
            raise InputError(f"output must not exist yet, {output} does")
        if settings.rows < 1:
            raise InputError(f"rows must be 1 or more, got {settings.rows}")
        if settings.seed < 0:
            raise InputError(f"seed must be 0 or more, got {settings.seed}")
        environment = make_environment(parser, settings, WirelessPoweredMEC)
        write(output, make(environment, settings.rows, settings.seed))


def check(environment: WirelessPoweredMEC) -> str:
    """What the labels of the world's trace are worth; raises InputError where it has none."""
    report = environment.label_report()
    if report is None:
        raise InputError("check must be a trace with labels, output_mode or output_obj: there are none in it")
    return str(report)


def make(environment: WirelessPoweredMEC, rows: int, seed: int) -> dict[str, np.ndarray]:
    """The variables of `rows` frames."""
    environment.reset(seed=seed)
    nobody = np.zeros(environment.num_users)
    parts: list[tuple[np.ndarray, ...]] = []
    with tqdm(total=rows, unit="row") as progress:
        for first in range(0, rows, BLOCK):
            gains = np.empty((min(BLOCK, rows - first), environment.num_users))
            for row in gains:
                row[:] = environment.gains
                environment.step(nobody)
            best = environment.optimum(gains)
            split = environment.allocate(gains, best.decision)
            parts.append(
                (gains, best.decision, split.charging_time, split.transmit_time, split.rate, best.upper_bound)
            )
            progress.update(len(gains))
    h, mode, a, tau, rate, bound = (np.concatenate(column) for column in zip(*parts, strict=True))
    return {
        "input_h": h,
        "output_mode": mode.astype(np.int32),
        "output_a": a[:, None],
        "output_tau": tau,
        "output_obj": rate[:, None],
        "output_bound": np.maximum(bound, rate)[:, None],
    }


def write(output: Path, variables: dict[str, np.ndarray]) -> None:
    """Write the file beside its place and move it there whole."""
    output.parent.mkdir(parents=True, exist_ok=True)
    temporary = output.with_name(output.name + ".part")
    try:
        with temporary.open("wb") as file:
            if output.suffix == ".npz":
                np.savez_compressed(file, **variables)
            else:
                from scipy.io import savemat

                savemat(file, variables, do_compression=True)
        temporary.replace(output)
    finally:
        temporary.unlink(missing_ok=True)
    print(f"{len(variables['input_h'])} frames of {variables['input_h'].shape[1]} users: {output}")
