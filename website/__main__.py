"""Builds the site in build/site, and checks it: `python -m website`."""

import os
import subprocess
import sys

from website.check import problems
from website.gathering import gather
from website.links import ROOT

__all__ = ["main"]

PAGES = ROOT / "build" / "site-pages"
SITE = ROOT / "build" / "site"


def main() -> None:
    """Exits with 1 if the generator warns, or if a link of the site is broken."""
    gather(PAGES)
    _write_the_error_reference()
    # The theme's notice about its successor is no warning of the build.
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    _run("-m", "mkdocs", "build", environment=environment)
    chinese = SITE / "zh-CN.html"
    # The generator knows one language for all pages. A browser chooses a page's font by it.
    page = chinese.read_text().replace('<html lang="en"', '<html lang="zh-CN"', 1)
    chinese.write_text(page)
    found = problems(SITE)
    print(*found, f"{SITE.relative_to(ROOT)}: {len(found)} problems", sep="\n")
    sys.exit(1 if found else 0)


def _write_the_error_reference() -> None:
    """As a page of the site, and as the one HTML file that `errgrpc docs` writes."""
    command = ("-m", "errgrpc", "docs", "--catalogue", "protos", "--title", "The shipped codes")
    (PAGES / "files").mkdir()
    _run(*command, "--output", str(PAGES / "files" / "errors.html"))
    _run(*command, "--format", "markdown", "--output", str(PAGES / "shipped-codes.md"))


def _run(*arguments: str, environment: dict[str, str] | None = None) -> None:
    ran = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, check=False)
    if ran.returncode:
        sys.exit(ran.returncode)


if __name__ == "__main__":
    main()
