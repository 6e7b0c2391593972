"""What ``torchrun`` starts in ``test_distributed.py``: trainings one after the other in the same processes.

The words of every training are a line of JSON on stdin's place, the file named first: ``{"words": [...], "at": null}``;
with ``at`` the second process gets a SIGTERM during that update. Exit codes are printed by the first process.
"""

import json
import os
import signal
import sys
import warnings
from pathlib import Path

import torch.distributed as dist

from noisylabels_cli.main import run
from noisylabels_plugins import distributed
from noisylabels_plugins.methods import baseline, jcas, sr


def main():
    sr.Method.DISTRIBUTED = False
    distributed.SECONDS_TO_SPEAK = 0
    warnings.simplefilter("ignore")
    rank = int(os.environ["RANK"])
    dist.init_process_group("gloo")  # once: torchrun's store does not let the same processes meet again
    dist.init_process_group, dist.destroy_process_group = (lambda *words: None), (lambda: None)
    for line in Path(sys.argv[1]).read_text().splitlines():
        asked = json.loads(line)
        steps = [module.Method.step for module in (baseline, jcas)]
        for module, step in zip((baseline, jcas), steps, strict=True):
            module.Method.step = disturbed(step, asked.get("at"), rank == 1)
        try:
            code = run(asked["words"])
        except SystemExit as leaving:
            code = leaving.code
        for module, step in zip((baseline, jcas), steps, strict=True):
            module.Method.step = step
        codes = Path(f"{sys.argv[1]}.{rank}")
        codes.write_text((codes.read_text() if codes.exists() else "") + f"{code}\n")


def disturbed(step, moment, here):
    def disturbed_step(self, batch, at):
        if here and at.step == moment:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(self, batch, at)

    return disturbed_step


if __name__ == "__main__":
    main()
