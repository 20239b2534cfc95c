"""`python -m hanpuri` is `hanpuri`."""

from hanpuri.cli import main

if __name__ == "__main__":
    main()
