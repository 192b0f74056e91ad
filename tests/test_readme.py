import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("code", EXAMPLES)
def test_examples_run(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})


def test_the_first_example_learns(capsys):
    exec(compile(EXAMPLES[0], "README.md", "exec"), {"__name__": "readme"})
    first, last = map(float, capsys.readouterr().out.split())
    assert last > first


def test_ci_runs_the_test_command():
    command = re.search(r"pip install .*pytest", README)
    assert command
    assert command[0] in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_every_named_file_exists():
    named = re.findall(r"`((?:agent|configs|docs|env|scripts)/[\w/.]+)`", README)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
