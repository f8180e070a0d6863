"""The documentation site: `make docs`, or `python -m website`, builds it in build/site.

__main__.py   gathers the pages, runs the generator and checks what it has made
gathering.py  the pages of the site: docs/, documents from other folders, sources that they link to
links.py      where a link of a document leads on the site
lists.py      lists as GitHub reads them, for the generator
check.py      checks the built site: each link and anchor resolves, and nothing loads from another host
pages/        pages that only the site has

The navigation is in mkdocs.yml.
"""
