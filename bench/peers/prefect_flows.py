# Driver: Prefect flows in this process, against the server at PREFECT_API_URL. Argument: runs. Prints one line of JSON.
import json
import sys
import time

from prefect import flow, task
from prefect.task_runners import ThreadPoolTaskRunner


@task
def noop():
    return None


@flow(log_prints=False)
def chain():
    for _ in range(40):
        noop()


@flow(task_runner=ThreadPoolTaskRunner(max_workers=32))
def fan():
    for future in [noop.submit() for _ in range(1000)]:
        future.wait()


def timed(work):
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


runs = int(sys.argv[1])
timed(chain)
chains = [timed(chain) for _ in range(runs)]
fans = [1000 / timed(fan)]
print(json.dumps({"chain": chains, "fanOut": fans}))
