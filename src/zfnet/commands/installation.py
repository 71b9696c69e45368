"""Information about this installation."""


def settings() -> None:
    """Print every setting with its default and meaning, as Markdown."""
    from zfnet.config import explain

    print(explain(), end="")


COMMANDS = (settings,)
