"""HTML as tests want it: ids, links, and the words of table rows."""

from __future__ import annotations

from html.parser import HTMLParser


class Page(HTMLParser):
    """What a page holds."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: dict[str, list[str]] = {}
        self.rows: list[str] = []
        self.scripts = 0
        self.text = ""
        self._link = ""
        self._silent = self._in_row = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if values.get("id"):
            self.ids.add(str(values["id"]))
        if tag == "tr":
            self.rows.append("")
            self._in_row = True
        if tag == "a":
            self._link = str(values.get("href"))
        self.scripts += tag == "script"
        self._silent = tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._silent = False
        if tag == "tr":
            self._in_row = False
        if tag == "a":
            self._link = ""

    def handle_data(self, data: str) -> None:
        words = " ".join(data.split())
        if self._silent or not words:
            return
        self.text += f"{words} "
        if self._in_row:
            self.rows[-1] += f"{words} "
        if self._link:
            self.links.setdefault(words, []).append(self._link)

    def row(self, first: str) -> str:
        """The words of the row that begins so."""
        return next(row.strip() for row in self.rows if row.startswith(first))
