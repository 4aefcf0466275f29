"""`make bench`: what a reply and an event cost on this machine, right now. Figures swing with the machine: read them as ratios."""

import platform
import sys

from bench import classify, process


def main() -> None:
    """Run the benches that need nothing but this machine."""
    print(f"Python {platform.python_version()} on {platform.machine()}, {platform.system()}")
    print("\nClassifier")
    classify.main()
    print("\nProcessing stored deliveries, 500 at once, CPU only")
    sys.argv[1:] = sys.argv[1:2]
    process.main()


if __name__ == "__main__":
    main()
