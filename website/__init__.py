"""The documentation site: `make docs` builds it in build/site.

hooks.py   what mkdocs calls while it builds: adds the pages from outside docs/
links.py   where a link of a document leads on the site
lists.py   lists as GitHub reads them, for mkdocs
check.py   checks the built site: each link and anchor resolves, and nothing loads from another host
pages/     pages that only the site has
theme/     what the site changes in its theme

The navigation is in mkdocs.yml.
"""
