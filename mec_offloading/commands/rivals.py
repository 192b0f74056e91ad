"""Methods with tuned settings side by side: the project's agents and those of reinforcement learning.

python scripts/rivals.py --config configs/rivals.yaml
"""

import argparse
from datetime import datetime
from pathlib import Path

from agent.run.folder import RunFolder, locked
from agent.run.style import STYLES

from .common import trust
from .common.comparing import ENGINES, Comparison
from .common.errors import explained
from .common.parallel import CORES
from .common.reporting import report
from .common.settings import dump_yaml, read_yaml
from .common.tuning import Tuning


def main() -> None:
    """Tune each method that has a search, then compare; a folder that holds a part of it is gone on with."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--config", required=True, help="YAML file such as configs/rivals.yaml")
    parser.add_argument(
        "--allow", action="append", default=[], help="module of yours whose classes the configuration may name"
    )
    parser.add_argument("--trials", type=int, help="of each method that is tuned")
    parser.add_argument("--output", type=Path, help="folder; runs/rivals-TIME by default")
    parser.add_argument("--processes", type=int, default=CORES, help="at once, in the comparison")
    parser.add_argument("--engine", choices=ENGINES, default="local", help="processes of this machine, or Ray's")
    parser.add_argument("--address", help="of a Ray cluster, such as 10.0.0.1:6379, with --engine ray")
    parser.add_argument(
        "--style",
        choices=STYLES,
        default="screen",
        help="of figures; print writes PDF and PNG for a paper's column",
    )
    arguments = parser.parse_args()
    with explained():
        trust.allow(arguments.allow)
        settings = read_yaml(arguments.config)
        if arguments.trials is not None and isinstance(settings.get("tuning"), dict):
            settings["tuning"]["trials"] = arguments.trials
        tuning = Tuning(settings)
        output = arguments.output or RunFolder.new("runs", f"rivals-{datetime.now():%Y%m%d-%H%M%S}").path
        output.mkdir(parents=True, exist_ok=True)
        with locked(output, "output"):
            tuned = tuning.run(output / "tuning")
            (output / "tuning" / "tuned.yaml").write_text(dump_yaml(tuned), encoding="utf-8")
            comparison = Comparison(tuned)
            folder = comparison.prepare(output / "comparison")
            comparison.run(folder, arguments.processes, arguments.allow, arguments.engine, arguments.address)
            report(comparison, folder, arguments.style)
