"""What a reader passes over: how many files for each reason, and the first of them by name."""

from collections import Counter

from pydantic import BaseModel, ConfigDict

from zfnet.data.readers.names import readable

NAMED = 20  # files named for each reason; all are counted

HIDDEN = "a hidden file or folder, such as macOS and Jupyter leave"
LINK = "a link in an archive, whose content is elsewhere"
HARD_LINK = "a hard link: a second name of another member"
SPECIAL = "a device, pipe, socket or sparse file"
ALIAS = "a link to a folder that is read under another name"
DANGLING = "a link to nothing"
UNREADABLE = "a name that cannot be followed"
NO_IMAGE = "not an image of the data set: another kind of file, or not where its images are"
NO_CLASS = "no folder or tar of a class (n01440764 ...)"
IN_NO_SET = "in none of the lists of ImageSets/Main"
SECOND = "a second image of the same name"
UNWANTED = "left out by the settings"


class Omitted(BaseModel):
    """The files passed over for one reason; `first` names at most NAMED of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: str
    files: int
    first: list[str]


class Skipped:
    """A list of the files passed over in one pass over an archive, in bounded memory."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._first: dict[str, list[str]] = {}

    def add(self, reason: str, name: str) -> None:
        """Note a file."""
        self._counts[reason] += 1
        if self._counts[reason] <= NAMED:
            self._first.setdefault(reason, []).append(readable(name))

    def clear(self) -> None:
        """Forget all, at the beginning of another pass."""
        self.__init__()  # type: ignore[misc]

    def entries(self) -> list[Omitted]:
        """Return the reasons, sorted."""
        return [
            Omitted(reason=reason, files=self._counts[reason], first=self._first[reason])
            for reason in sorted(self._counts)
        ]


def report(name: str, omitted: list[Omitted]) -> None:
    """Print one line for each reason."""
    for entry in omitted:
        print(f"{name}: {entry.files} passed over ({entry.reason}), first {entry.first[0]}", flush=True)
