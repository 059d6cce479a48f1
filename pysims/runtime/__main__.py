"""The command line: `python -m pysims.runtime`."""

from pysims.runtime.build import main

if __name__ == "__main__":
    raise SystemExit(main())
