"""``python -m leakgauge``: the command ``leakgauge``."""

from leakgauge.main import main

if __name__ == "__main__":
    main()
