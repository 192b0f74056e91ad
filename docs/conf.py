"""The documentation site, of the pages of this folder, the README and the docstrings.

    pip install -e '.[docs]' && sphinx-build -W docs docs/_build

The pages are written for the Markdown view of a Git host too. What differs on the site is done here: links to the
README lead to the start page, names in code formatting to the reference, file names to the source; notebooks are
read as pages.
"""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path
from types import ModuleType

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from myst_parser.parsers.sphinx_ import MystParser
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.nodes import make_refnode

import agent
import agent.version
import env

README = Path(__file__).resolve().parents[1] / "README.md"

project = "Learned computation offloading"
author = "the project's maintainers"
html_show_copyright = False
version = release = agent.version.VERSION
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["_build", "conf.py", "**/.ipynb_checkpoints"]
source_suffix = {".rst": "restructuredtext", ".md": "markdown", ".markdown": "markdown", ".py": "notebook"}

html_theme = "furo"
html_title = project
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sphinx = False

myst_enable_extensions = ["dollarmath"]
myst_fence_as_directive = ["math"]
myst_heading_anchors = 3

highlight_language = "none"
default_role = "py:obj"  # `name` is a link where there is such a name, and code where there is none
suppress_warnings = ["ref.python"]  # a name that several classes have: the nearest is meant
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
maximum_signature_line_length = 88
napoleon_numpy_docstring = False
napoleon_use_ivar = True

PLACES: dict[str, tuple[str, str] | None] = {}


def modules() -> dict[str, ModuleType]:
    """All modules of both packages but those for machine code, by name, packages before what they hold."""
    found = {package.__name__: package for package in (agent, env)}
    for package in (agent, env):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.rpartition(".")[2].startswith(("_", "compiled_")):
                found[module.name] = importlib.import_module(module.name)
    return dict(sorted(found.items(), key=lambda item: item[0].count(".")))


def published(found: dict[str, ModuleType]) -> dict[str, str]:
    """The shortest name that each public class or function is imported by, for the name that it is defined by."""
    names: dict[str, str] = {}
    for path, module in found.items():
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if inspect.isclass(value) or inspect.isfunction(value):
                names.setdefault(f"{value.__module__}.{value.__name__}", f"{path}.{name}")
    return names


def section(path: str, module: ModuleType, names: dict[str, str]) -> str:
    """The reference of one module: what it publishes or defines, under the names that it is imported by."""
    text = f".. automodule:: {path}\n"
    told = {
        defined.rpartition(".")[2]: name for defined, name in names.items() if defined.rpartition(".")[0] == path
    }
    if hasattr(module, "__all__"):
        listed = [getattr(module, name) for name in module.__all__]
        links = [
            names.get(f"{getattr(value, '__module__', '')}.{getattr(value, '__name__', '')}") for value in listed
        ]
        text += "\nPublished: " + ", ".join(f":py:obj:`{name}`" for name in links if name) + "\n"
    else:
        text += "   :members:\n   :show-inheritance:\n"
        if told:
            text += f"   :exclude-members: {', '.join(told)}\n"
    for defined, name in told.items():
        value = getattr(module, defined)
        if inspect.isclass(value):
            kind = "exception" if issubclass(value, Exception) else "class"
            text += f"\n.. auto{kind}:: {name}\n   :members:\n   :show-inheritance:\n"
        else:
            text += f"\n.. autofunction:: {name}\n"
    return text


def write_reference(app: Sphinx) -> None:
    """One page a package, each module of it a section."""
    found = modules()
    names = published(found)
    folder = Path(app.srcdir, "api")
    folder.mkdir(exist_ok=True)
    for package, top in found.items():
        if hasattr(top, "__path__"):
            text = f"{package}\n{'=' * len(package)}\n\n{section(package, top, names)}\n"
            homes = {defined.rpartition(".")[0] for defined in names}
            for path, module in sorted(
                found.items(), key=lambda item: item[0] not in homes
            ):  # what is published first
                if path.rpartition(".")[0] == package and not hasattr(module, "__path__"):
                    text += f"{path}\n{'-' * len(path)}\n\n{section(path, module, names)}\n"
            page = folder / f"{package}.rst"
            if not page.exists() or page.read_text(encoding="utf-8") != text:
                page.write_text(text, encoding="utf-8")


class NotebookParser(MystParser):
    """Notebooks that jupytext keeps as text are pages; nothing in them is executed here."""

    supported = ("notebook",)

    def parse(self, inputstring: str, document: nodes.document) -> None:
        import jupytext

        super().parse(jupytext.writes(jupytext.reads(inputstring, fmt="py"), fmt="md"), document)


def keep_formulas(app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]) -> None:
    """What a docstring indents between blank lines, a formula or a table, keeps its lines."""
    if what in ("attribute", "data", "property"):
        lines[:0] = ["..", ""]  # Napoleon takes what is before a colon in the first line for a type
    if lines and lines[-1].startswith("Alias for field number"):
        lines.clear()
    for place in range(len(lines) - 1, 1, -1):
        before, line = lines[place - 2], lines[place]
        indent = len(before) - len(before.lstrip())
        indented = before.strip() and not lines[place - 1].strip() and line.startswith(" " * (indent + 4))
        if indented and not before.lstrip().startswith("..") and not before.endswith("::"):
            lines[place:place] = [" " * indent + "::", ""]


def start_with_the_readme(app: Sphinx, docname: str, source: list[str]) -> None:
    """The README is the start page; it lies one folder above the pages."""
    if docname == "index":
        app.env.note_dependency(str(README))
        text = re.sub(r"\]\((?!\w+:|#|docs/)", "](../", README.read_text(encoding="utf-8"))
        source[0] = text.replace("](docs/", "](") + source[0]
        if not list(Path(app.srcdir, "notebooks").glob("*.py")):
            source[0] = source[0].replace("notebooks/*\n", "")
    source[0] = source[0].replace("](../README.md", "](index.markdown")


def name_the_package(app: Sphinx, document: nodes.document) -> None:
    """Both packages have an `InputError`."""
    for reference in document.findall(addnodes.pending_xref):
        if reference.get("reftarget") == "InputError":
            reference["reftarget"] = f"{reference['py:module'].partition('.')[0]}.InputError"


def index_names(app: Sphinx, environment: BuildEnvironment) -> None:
    """Where each class and member is told, by its name without the module; None where several bear the name."""
    PLACES.clear()
    for path, entry in environment.domains["py"].objects.items():
        place = (entry.docname, entry.node_id)
        for name in (path, *(path[match.start() :] for match in re.finditer(r"(?<=\.)[A-Z]", path))):
            PLACES[name] = place if PLACES.get(name, place) == place else None


def find_class(app: Sphinx, environment: BuildEnvironment, node: addnodes.pending_xref, content: nodes.Element):
    """A class that is named without its module."""
    place = PLACES.get(node.get("reftarget", ""))
    return place and make_refnode(app.builder, node["refdoc"], *place, content)


def link_names(app: Sphinx, document: nodes.document, docname: str) -> None:
    """In pages, as in docstrings, code that is the name of an object or of a source file leads to it."""
    sources = getattr(app.env, "_viewcode_modules", {})
    for literal in list(document.findall(nodes.literal)):
        text = literal.astext()
        module = text.removesuffix(".py").replace("/", ".")
        if isinstance(literal.parent, nodes.reference | nodes.title):
            continue
        if place := PLACES.get(text):
            literal.replace_self(make_refnode(app.builder, docname, *place, literal.deepcopy()))
        elif text.endswith(".py") and sources.get(module):
            uri = app.builder.get_relative_uri(docname, f"_modules/{module.replace('.', '/')}")
            literal.replace_self(nodes.reference("", "", literal.deepcopy(), internal=True, refuri=uri))


def mathml(as_block: bool):
    """A renderer of formulas, which browsers show without a script and without a network."""

    def visit(translator, node):
        try:
            translator.body.append(tex2mathml(node.astext(), as_block=as_block))
        except MathError as error:
            logging.getLogger(__name__).warning("formula: %s", error, location=node)
        raise nodes.SkipNode

    return visit, None


def setup(app: Sphinx) -> None:
    app.add_source_parser(NotebookParser)
    app.add_html_math_renderer("mathml", mathml(False), mathml(True))
    app.connect("builder-inited", write_reference)
    app.connect("autodoc-process-docstring", keep_formulas, priority=400)  # before Napoleon
    app.connect("source-read", start_with_the_readme)
    app.connect("doctree-read", name_the_package)
    app.connect("env-updated", index_names)
    app.connect("missing-reference", find_class)
    app.connect("doctree-resolved", link_names)
