"""``python -m partimento`` is the command line."""

from partimento.cli import entry

if __name__ == "__main__":
    entry()
