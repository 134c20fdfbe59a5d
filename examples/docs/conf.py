"""Build the website from the README, the gallery, the API reference and these pages."""

import re

from docutils.nodes import reference

import skbinnet

project = "skbinnet"
author = copyright = "The skbinnet developers"
version = release = skbinnet.__version__
extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_gallery.gen_gallery",
    "sphinx-mathjax-offline",
]
html_theme = "pydata_sphinx_theme"
html_title = f"skbinnet {version}"
html_sidebars = {"**": []}
html_show_sourcelink = False
default_role = "literal"
smartquotes = False  # text fragments in links must match the text of the page
templates_path = ["templates"]
numpydoc_show_class_members = False
sphinx_gallery_conf = {
    "examples_dirs": "..",
    "gallery_dirs": "gallery",
    "ignore_pattern": "distributed_|exercise_",
    "backreferences_dir": "generated",
    "doc_module": ("skbinnet",),
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "write_computation_times": False,
}

# On the website, the HTML representation of an estimator links to the same website.
template = skbinnet.BinaryMLPClassifier._doc_link_template
skbinnet.BinaryMLPClassifier._doc_link_template = "../" + template.split("/stable/")[1]


def link_to_scikit_learn(app, env, node, contnode):
    """Link a name of scikit-learn to its page in the reference of scikit-learn."""
    target = node["reftarget"]
    if not target.startswith("sklearn."):
        return None
    page = f"https://scikit-learn.org/stable/modules/generated/{target}.html"
    return reference("", "", contnode, refuri=page, internal=False)


def link_to_gallery(app, *page_and_content):
    """Turn links to scripts, in a page or the README, into links to the gallery."""
    content = page_and_content[-1]
    links = r"\((?:examples|\.\.)/(plot_\w+)\.py\)"
    content[0] = re.sub(links, r"(gallery/\1)", content[0])


def setup(app):
    app.connect("missing-reference", link_to_scikit_learn)
    app.connect("include-read", link_to_gallery)
    app.connect("source-read", link_to_gallery)
