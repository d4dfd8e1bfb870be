"""`newapi`, and `python -m newapi`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    from newapi.cli.app import main as run  # noqa: PLC0415  (importing this module costs nothing)

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
