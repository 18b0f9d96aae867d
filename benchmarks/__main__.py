"""``python -m benchmarks [NAME ...]``"""

import importlib
import os
import sys
import time

NAMES = (
    "accepting", "gallery", "memory", "arrival", "start", "waiting", "storing", "gallery_mongodb", "jobs_mongodb",
    "rebuilding",
)  # fmt: skip


def main() -> None:
    chosen = sys.argv[1:] or NAMES
    unknown = set(chosen) - set(NAMES)
    if unknown:
        sys.exit(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    for name in chosen:
        began = time.monotonic()
        module = importlib.import_module(f"benchmarks.{name}")
        print(f"\n{name}: {(module.__doc__ or name).splitlines()[0]}", flush=True)
        print(
            f"  ({os.getloadavg()[0]:.1f} processes wait for {os.cpu_count()} processors before it begins)", flush=True
        )
        for claim in module.run():
            print("  " + claim.line(), flush=True)
        print(f"  ({time.monotonic() - began:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
