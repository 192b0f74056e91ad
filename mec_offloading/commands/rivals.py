"""Methods with tuned settings side by side: the project's agents and those of reinforcement learning.

python scripts/rivals.py --config configs/rivals.yaml
"""

import argparse
from datetime import datetime
from pathlib import Path

from agent.run.folder import RunFolder, locked

from .common import trust
from .common.comparing import Comparison, add_running
from .common.errors import explained
from .common.reporting import report
from .common.settings import dump_yaml, read_yaml
from .common.tuning import Tuning


def main() -> None:
    """Tune each method that has a search, then compare; a folder that holds a part of it is gone on with."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--config", required=True, help="YAML file such as configs/rivals.yaml")
    parser.add_argument("--trials", type=int, help="of each method that is tuned")
    parser.add_argument("--output", type=Path, help="folder; runs/rivals-TIME by default")
    add_running(parser)
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
