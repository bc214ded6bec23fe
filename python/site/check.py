"""Checks a built site: every public name of the package stands in the reference, and says what it is.

python check.py SITE_FOLDER
"""

import re
import sys
from pathlib import Path

import aitrace

page = (Path(sys.argv[1]) / "reference" / "index.html").read_text()
wrong = []
for name in aitrace.__all__:
    begin = page.find(f'id="aitrace.{name}"')
    if begin < 0:
        wrong.append(f"{name}: not in the reference")
        continue
    following = re.search(r'id="aitrace\.[A-Za-z_]+"', page[begin + 10 :])
    section = page[begin : begin + 10 + following.start()] if following else page[begin:]
    if '<div class="doc doc-contents' not in section or not re.search(r"<p>\s*\w", section):
        wrong.append(f"{name}: without a docstring")
sys.exit("\n".join(wrong) or 0)
