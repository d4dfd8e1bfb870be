"""`newapi`, and `python -m newapi`."""

from __future__ import annotations

import sys

from newapi.cli.quick import answer


def main() -> None:
    """Run the command line and leave with its exit code."""
    argv = sys.argv[1:]
    if argv[:1] == ["help"]:
        argv = [*argv[1:], "--help"]
    code = answer(argv)
    if code is None:
        from newapi.cli.app import main as run  # noqa: PLC0415  (not where the answer is there already)

        code = run(argv)
    sys.exit(code)


if __name__ == "__main__":
    main()
