"""Methods side by side on the same frames, against the certified optimum.

python scripts/compare.py --config configs/compare.yaml
python scripts/compare.py --config configs/compare.yaml --users 10 --seeds 0 1 --frames 200 --output runs/mine

Where decisions matter later (queues), every method is held against the best decision in the state that its own
earlier ones have led to.
"""

import argparse
import sys
from pathlib import Path

from agent.run.comparison import OptimumViolatedError
from agent.run.folder import locked

from .common import parallel, reporting, trust
from .common.comparing import Comparison, add_running
from .common.errors import explained
from .common.settings import read_yaml


def main() -> None:
    """Measure what is not yet in the output folder; a row appears, there and here, as soon as it is known."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--config", required=True, help="YAML file such as configs/compare.yaml")
    parser.add_argument("--users", type=int, nargs="+", help="numbers of users")
    parser.add_argument("--seeds", type=int, nargs="+")
    parser.add_argument("--warmup", type=int, help="frames in which agents learn before the measured ones")
    parser.add_argument("--frames", type=int, help="measured frames of each seed")
    parser.add_argument(
        "--output", type=Path, help="folder; one with a part of the same comparison is gone on with"
    )
    add_running(parser)
    arguments = parser.parse_args()
    with explained():
        trust.allow(arguments.allow)
        settings = read_yaml(arguments.config)
        for name in ("users", "seeds", "warmup", "frames"):
            if getattr(arguments, name) is not None:
                settings[name] = getattr(arguments, name)
        several = arguments.processes > 1
        if several and arguments.engine == "local":
            parallel.ahead()  # while this process loads what it needs itself
        comparison = Comparison(settings)
        output = comparison.prepare(arguments.output)
        with locked(output, "output"):
            if several:
                reporting.ahead()  # while rows run
            try:
                comparison.run(output, arguments.processes, arguments.allow, arguments.engine, arguments.address)
            except OptimumViolatedError as error:
                sys.exit(f"error: {error}; the instance is saved in {output / 'violation.npz'}")
            reporting.report(comparison, output, arguments.style)
