"""`newapi`, and `python -m newapi`."""

from __future__ import annotations

import sys

from newapi.cli.quick import answer


def main() -> None:
    """Run the command line and leave with its exit code."""
    code = answer(sys.argv[1:])
    if code is None:
        from newapi.cli.app import main as run  # noqa: PLC0415  (not where the answer is there already)

        code = run(sys.argv[1:])
    sys.exit(code)


if __name__ == "__main__":
    main()
