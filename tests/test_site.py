"""The documentation site: it builds without a warning and holds what is public."""

import subprocess
import sys
from pathlib import Path

import pytest

import agent
import env

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-d", folder / "read", ROOT / "docs"]
    result = subprocess.run([*command, folder / "html"], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    return folder / "html"


def test_every_public_name_has_its_place(site):
    reference = "".join(page.read_text(encoding="utf-8") for page in (site / "api").glob("*.html"))
    for package in (agent, env):
        missing = [name for name in package.__all__ if f'id="{package.__name__}.{name}"' not in reference]
        assert missing == []


def test_formulas_are_formulas_and_names_are_links(site):
    method = (site / "method.html").read_text(encoding="utf-8")
    assert '<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">' in method
    assert "\\frac" not in method
    assert 'href="_modules/env/wireless_powered/allocation.html"' in method
    assert 'href="index.html"' in method
    gallery = (site / "gallery.html").read_text(encoding="utf-8")
    assert 'href="api/env.wireless_powered.html#env.WirelessPoweredMEC"' in gallery
