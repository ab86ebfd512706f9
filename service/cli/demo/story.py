"""The story: a file of commands in chapters, each with what is expected of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from service.cli.lines import LineError, Outgoing, Remark, read_line


@dataclass(slots=True)
class Chapter:
    """A remark and the commands below it, which are sent together: none needs what another of another key does."""

    title: str
    commands: list[Outgoing] = field(default_factory=list)


def story_path() -> Path:
    """Where the story lies; `bookstream send` takes it as it is."""
    return Path(str(resources.files("service.cli.demo") / "story.jsonl"))


def load_story(path: Path) -> Sequence[Chapter]:
    """Reads a story; raises LineError naming the line."""
    chapters = [Chapter("")]
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            line = read_line(text, number)
        except LineError as error:
            raise LineError(f"line {number}: {error}") from error
        if isinstance(line, Remark):
            chapters.append(Chapter(line.text))
        else:
            chapters[-1].commands.append(line)
    return [chapter for chapter in chapters if chapter.commands]
