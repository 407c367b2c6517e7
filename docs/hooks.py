"""Generates pages of the site: the reference, benchmarks, changes, how to contribute.

The pages link to files by their paths in the repository, so that the links work there too; here
such links are changed to the site's pages.
"""

from __future__ import annotations

import ast
import posixpath
import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parent.parent
RESULTS = "benchmarks/results"
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "CITATION.cff": "CITATION.cff",  # as it is
}
# Page of the reference -> title, first paragraph, and the packages or names that it lists.
REFERENCE = {
    "zoo": (
        "Models and functions",
        "Builders are lowercase and keyword-only, and return a `keras.Model`. Each name is an "
        "attribute of `zoo`.",
        [
            "zoo/models/__init__.py",
            "zoo.inference.predict.predict",
            "zoo.inference.writing.prediction.Prediction",
            "zoo.inference.actions.action_prediction.ActionPrediction",
            "zoo.inference.actions.joint_prediction.JointPrediction",
            "zoo.inference.evaluate.evaluate",
            "zoo.inference.evaluating.evaluation.Evaluation",
            "zoo.inference.live.predict_live",
            "zoo.inference.export.export",
        ],
    ),
    "backbones": ("Backbones", "Attributes of `zoo.backbones`.", ["zoo/backbones/__init__.py"]),
    "layers": ("Layers", "Attributes of `zoo.layers`.", ["layers/__init__.py"]),
    "losses": ("Losses", "Attributes of `zoo.losses`.", ["zoo/losses/__init__.py"]),
    "metrics": ("Metrics", "Attributes of `zoo.metrics`.", ["zoo/metrics/__init__.py"]),
    "datasets": (
        "Data",
        "Data sets are modules of `zoo.datasets`; each has `load(root, split=...)`.",
        [
            "zoo.datasets.record.Record",
            "zoo.datasets.record.GazeSource",
            "datasets/video/__init__.py",
            "datasets/gaze/__init__.py",
            "datasets/shards/__init__.py",
            "datasets/samples/__init__.py",
            "zoo.datasets.moving_targets.make",
        ],
    ),
    "weights": (
        "Weights",
        "Attributes of `zoo.weights`.",
        [
            "zoo/weights/__init__.py",
            "zoo.backbones.loading.pretrained",
            "zoo.backbones.loading.load_weights",
            "zoo.backbones.convert.convert",
        ],
    ),
    "training": ("Training", "Attributes of `zoo.training`.", ["zoo/training/__init__.py"]),
}
LINK = re.compile(r"(\]\()(?!https?://|#|mailto:)([^)#\s]+)([)#])")
HTML_LINK = re.compile(r'((?:src|href)=")(?!https?://|#|data:)([^"#]+)(["#])')


def on_files(files, config):
    """Add the pages, and the pictures of the benchmarks."""
    names = []
    for path in sorted((ROOT / RESULTS).iterdir()):
        if path.suffix in (".md", ".png", ".json"):
            files.append(File.generated(config, f"benchmarks/{path.name}", abs_src_path=str(path)))
        if path.suffix == ".md":
            names.append(path)
    lines = [
        "# Benchmarks",
        "",
        "Each page is written by the script that its first lines name.",
        "",
    ]
    for path in names:
        title = re.search(r"^#+ +(.+)$", path.read_text(encoding="utf-8"), re.M)
        lines.append(f"- [{title[1] if title else path.stem}]({path.name})")
    text = "\n".join(lines) + "\n"
    files.append(File.generated(config, "benchmarks/index.md", content=text))
    for name, (title, first, parts) in REFERENCE.items():
        listed = [each for part in parts for each in (names_of(part) if "/" in part else [part])]
        text = f"# {title}\n\n{first}\n" + "".join(f"\n::: {each}\n" for each in listed)
        files.append(File.generated(config, f"api/{name}.md", content=text))
    for source, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown, page, config, files):
    """Change links to files of the repository into links to pages of the site."""
    where = page.file.src_uri
    if where.startswith("benchmarks/"):
        source = f"{RESULTS}/{posixpath.basename(where)}"
    else:
        source = next((s for s, p in PAGES.items() if p == where), f"docs/{where}")

    def turned(match: re.Match) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), match[2]))
        found = site_page(target)
        if found is None:
            return match[0]
        relative = posixpath.relpath(found, posixpath.dirname(where) or ".")
        return f"{match[1]}{relative}{match[3]}"

    return HTML_LINK.sub(turned, LINK.sub(turned, markdown))


def names_of(init: str) -> list[str]:
    """The names that a package's `__init__.py` imports from its own modules."""
    tree = ast.parse((ROOT / init).read_text(encoding="utf-8"))
    return [
        f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("zoo.")
        for alias in node.names
        if not alias.name.isupper()
    ]


def site_page(path: str) -> str | None:
    """The site's page for a file of the repository, or None."""
    if path.startswith(f"{RESULTS}/"):
        return f"benchmarks/{posixpath.basename(path)}"
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return PAGES.get(path)
