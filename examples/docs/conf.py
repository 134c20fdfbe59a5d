"""Build the website from the README, the gallery, the API reference and these pages."""

import re

from docutils.nodes import Text, container, reference

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
html_sidebars = {"**": ["sidebar-nav-bs"]}
html_sidebars |= {
    page: [] for page in ("index", "gallery/index", "classroom", "search")
}
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system is
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
toc_object_entries_show_parents = "hide"  # "fit" is enough on the page of its class
default_role = "literal"
myst_heading_anchors = 2  # as on GitHub
smartquotes = False  # text fragments in links must match the text of the page
templates_path = ["templates"]
numpydoc_show_class_members = False
sphinx_gallery_conf = {
    "examples_dirs": "..",
    "gallery_dirs": "gallery",
    "ignore_pattern": "distributed_|exercise_|explain_|search_|serve_|track_",
    "backreferences_dir": "generated",
    "doc_module": ("skbinnet",),
    "within_subsection_order": "FileNameSortKey",
    "thumbnail_size": (480, 288),
    "abort_on_example_error": True,
    "write_computation_times": False,
}

# On the website, the HTML representation of an estimator links to the same website.
template = skbinnet.BinaryMLPClassifier._doc_link_template
skbinnet.BinaryMLPClassifier._doc_link_template = "../" + template.split("/stable/")[1]

# Where inherited docstrings refer to: the page at scikit-learn, and a name for it.
SCIKIT_LEARN_PAGES = {
    "accuracy_score": ("modules/model_evaluation.html#accuracy-score", "accuracy"),
    "df_output_transform": ("modules/df_output_transform.html", "set_output"),
    "meta-estimator": ("glossary.html#term-meta-estimator", "meta-estimator"),
    "metadata_routing": ("metadata_routing.html", "metadata routing"),
    "sphx_glr_auto_examples_miscellaneous_plot_set_output.py": (
        "auto_examples/miscellaneous/plot_set_output.html",
        "Introducing the set_output API",
    ),
}


def link_to_scikit_learn(app, env, node, contnode):
    """Link a name of scikit-learn to its page in the documentation of scikit-learn."""
    target, page = node["reftarget"], None
    if target.startswith("sklearn."):
        page = f"modules/generated/{target}.html"
    elif target in SCIKIT_LEARN_PAGES:
        page, name = SCIKIT_LEARN_PAGES[target]
        contnode = contnode if node["refexplicit"] else Text(name)
    if page is None:
        return None
    page = f"https://scikit-learn.org/stable/{page}"
    return reference("", "", contnode, refuri=page, internal=False)


def adapt_page(app, *page_and_content):
    """Make the text of a page, or of the README, that of a page of the website.

    Links to scripts become links to the gallery. A doctest ends with an empty line,
    which is not shown.
    """
    content = page_and_content[-1]
    links = r"\((?:examples|\.\.)/(plot_\w+)\.py\)"
    text = re.sub(links, r"(gallery/\1)", content[0])
    content[0] = text.replace("\n\n```\n", "\n```\n")


def box_pictures(app, doctree):
    """Put each picture into a box, in which a wide one can be scrolled on a phone."""
    for picture in list(doctree.findall(is_picture)):
        box = container(classes=["picture"])
        picture.replace_self(box)
        box += picture


def is_picture(node):
    """Whether a node is the picture of a page or of a gallery script."""
    return node.tagname in ("image", "imgsgnode")


def setup(app):
    app.connect("missing-reference", link_to_scikit_learn)
    app.connect("include-read", adapt_page)
    app.connect("source-read", adapt_page)
    app.connect("doctree-read", box_pictures)
