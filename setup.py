"""The configurations of the checkout's `configs/` go into the wheel, inside the package of the commands."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class Build(build_py):
    """Modules, and the configurations; an editable installation reads them where they are."""

    def run(self) -> None:
        """Build."""
        super().run()
        if not self.editable_mode:
            shutil.copytree("configs", Path(self.build_lib) / "mec_offloading" / "configs", dirs_exist_ok=True)


setup(cmdclass={"build_py": Build})
