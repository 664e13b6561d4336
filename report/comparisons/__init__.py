"""Runs side by side: which runs can be compared head by head, by how much their heads differ, and the pages and the command that say so.

pairs.py        which runs the file puts side by side, and why two runs cannot be
differences.py  head by head and for all heads together: difference, interval, test
page.py, agreement.py   the pages: one per pair of texts, one of published figures beside ours
diff.py         python -m report diff"""
