"""Downloads: the files beside every chart, the public tables, the page that lists them, and what describes them to machines.

Before the pages are rendered: answers (CSV's exact twin and its SQL), tables (the public views as files), package (datapackage.json), page.
After: plain_text (a Markdown version of every page, and llms.txt that lists them), checksums (SHA256SUMS, written last)."""
