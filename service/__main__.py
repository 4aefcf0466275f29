"""`python -m service …`: see service/cli."""

import sys


def _run() -> None:
    """Run the command, or say which Python would: another one knows none of the packages."""
    try:
        from service.cli.main import main  # noqa: PLC0415 - what it needs may be missing

        main()
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "service":
            raise
        sys.exit(
            f"hopp: {error.name} is not installed for {sys.executable}. Use the Python that Hopp is installed in, such as .venv/bin/python"
            " (make install makes it)."
        )


if __name__ == "__main__":
    _run()
