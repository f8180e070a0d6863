"""The documentation site: `make docs`, or `python -m website`, builds it in build/site.

- `__main__.py` runs the generator, and checks what it has made.
- `gathering.py` collects the pages: docs/, documents of other folders, and the linked sources.
- `links.py` says where a link of a document leads on the site.
- `lists.py` writes lists as the generator needs them.
- `check.py` checks the built site: links, anchors, and that nothing loads from another host.
- `pages/` has the pages that only the site has.

The navigation is in mkdocs.yml.
"""
