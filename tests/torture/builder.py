"""What a build of a site loads, and Vega's script, which takes a second to bundle: for processes that fork to build, before they do.

Bundling leaves no thread behind that a drawing asks for; a drawing would, so none is drawn here."""

import pandas  # noqa: F401
import scipy.stats  # noqa: F401

import report.__main__
import report.build  # noqa: F401
from report import charts

charts.script()
