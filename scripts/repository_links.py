"""A hook of mkdocs: links from the documents to other files lead to copies of them.

A file becomes a text beside the pages; a folder is named and not linked. A link to nothing is a
warning, which a strict build refuses.
"""

import logging
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

_LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?P<target>(?:\.\./)+[^)#\s]+)(?:#[^)\s]*)?\)")
_log = logging.getLogger("mkdocs.repository_links")


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Files) -> str:
    """Rewrite the links of one page."""
    documents = Path(config.docs_dir)
    folder = posixpath.dirname(page.file.src_uri)

    def rewritten(link: re.Match[str]) -> str:
        path = (documents / folder / link["target"]).resolve()
        if path.is_relative_to(documents):
            return link[0]
        if not path.exists():
            _log.warning("%s links to %s, which is not there", page.file.src_uri, link["target"])
            return link[0]
        if path.is_dir():
            return link["text"]
        name = f"source/{path.relative_to(documents.parent).as_posix()}.txt"
        if files.get_file_from_path(name) is None:
            files.append(File.generated(config, name, content=path.read_text("utf-8")))
        return f"[{link['text']}]({posixpath.relpath(name, folder or '.')})"

    return _LINK.sub(rewritten, markdown)
