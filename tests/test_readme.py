import csv
import re
import sys
import warnings
from pathlib import Path

import commands
import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = {page: page.read_text(encoding="utf-8") for page in PAGES}
README = TEXTS[ROOT / "README.md"]
STEPS = ROOT / "docs" / "your_own_problem.md"
EXAMPLES = [
    pytest.param(code, id=f"{page.name}-{number}")
    for page, text in TEXTS.items()
    if page != STEPS
    for number, code in enumerate(re.findall(r"```python\n(.*?)```", text, re.DOTALL), 1)
]


def links(page):
    """The files that a page links to; addresses elsewhere and places within the page are left out."""
    targets = re.findall(r"\]\((?!\w+:|#)([^)\s#]+)", TEXTS[page])
    return [(page.parent / target).resolve() for target in targets]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Examples write files."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("code", EXAMPLES)
def test_examples_run(code):
    if "import mlflow" in code:
        warnings.filterwarnings("ignore", "The ``noload`` loader strategy is deprecated")  # SQLAlchemy, of MLflow
        pytest.importorskip("mlflow", reason="MLflow, of which a page has an example, is not installed")
    exec(compile(code, "example", "exec"), {"__name__": "example"})


def test_the_first_example_learns(capsys):
    exec(compile(EXAMPLES[0].values[0], "example", "exec"), {"__name__": "example"})
    first, last = map(float, capsys.readouterr().out.split())
    assert last > first


def test_your_own_problem_step_by_step(tmp_path, monkeypatch, capsys):
    """Every block of the page in its order: files are written, code and commands run."""
    monkeypatch.syspath_prepend(tmp_path)
    for kind, block in re.findall(r"```(\w+)\n(.*?)```", TEXTS[STEPS], re.DOTALL):
        name = re.match(r"# (\w+\.(py|yaml))\n", block)
        if name:
            (tmp_path / name[1]).write_text(block, encoding="utf-8")
        elif kind == "python":
            exec(compile(block, "step", "exec"), {"__name__": "step"})
        else:
            for line in block.splitlines():
                words = line.replace("scripts/", f"{ROOT}/scripts/").split()
                result = commands.run([sys.executable, "-W", "error", *words[1:]])
                assert result.returncode == 0, result.stderr
    assert capsys.readouterr().out == "-12.0\n[]\nnumpy\n"
    assert (tmp_path / "runs" / "first" / "metrics.png").is_file()
    head, *rows = csv.reader((tmp_path / "runs" / "rivals" / "table.csv").read_text().splitlines())
    assert head[2:5] == ["age (frames)", "age low (frames)", "age high (frames)"]
    assert [row[1] for row in rows] == ["learned", "oldest first", "descent", "all local"]


def test_ci_runs_the_test_command():
    command = re.search(r"pip install .*pytest", README)
    assert command
    assert command[0] in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_named_file_exists(page):
    named = re.findall(r"`((?:agent|configs|docs|env|mec_offloading|scripts)/[\w/.]+)`", TEXTS[page])
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page):
    assert links(page)
    assert [str(target) for target in links(page) if not target.is_file()] == []


def test_readme_is_short_and_leads_to_every_page():
    assert len(README.splitlines()) <= 205
    assert set(PAGES[1:]) <= set(links(PAGES[0]))


@pytest.mark.parametrize("page", PAGES[1:], ids=lambda page: page.name)
def test_every_page_leads_back_to_the_readme(page):
    assert PAGES[0] in links(page)
