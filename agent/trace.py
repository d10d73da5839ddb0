"""Trace: the events of each run as JSON lines beside the store, to read again later."""

from __future__ import annotations

from pathlib import Path

from agent.events import Event, Preview, ProgressMade


class Trace:
    """One run's events; progress and previews are not kept."""

    def __init__(self, path: Path) -> None:
        """Collect for a file, which is written by `save`."""
        self.path = path
        self._lines: list[str] = []

    def add(self, event: Event) -> None:
        """Remember an event."""
        if not isinstance(event, Preview | ProgressMade):
            self._lines.append(event.model_dump_json())

    def save(self) -> None:
        """Write what was collected since the last time."""
        lines, self._lines = self._lines, []
        if lines:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write("\n".join(lines) + "\n")
