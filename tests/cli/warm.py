"""Runs commands in forks of a process that has imported the studio once: most of a command's time is its imports.

It reads orders as lines of JSON, and answers each with the exit code.
"""

import json
import os
import sys
import traceback
from typing import Any, NoReturn

from mutoscope.cli import main


def perform(order: dict[str, Any]) -> NoReturn:
    """Be that command. Never returns."""
    code: Any = 1
    try:
        for number, path in enumerate(order["streams"]):
            os.dup2(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), number)
        os.environ.clear()
        os.environ.update(order["environ"])
        main(order["arguments"], prog_name="mutoscope")
    except SystemExit as e:
        code = e.code
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)


for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        perform(json.loads(line))
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
