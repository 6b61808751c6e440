# DAGs of the Airflow peer: each task appends the time of its end to the file PEER_TRACE.
import os
import time
from datetime import datetime

from airflow.sdk import dag, task


@task(retries=0)
def noop():
    with open(os.environ["PEER_TRACE"], "a") as trace:
        trace.write(f"{time.time()}\n")


@dag(dag_id="chain40", schedule=None, start_date=datetime(2024, 1, 1), max_active_tasks=1000)
def chain40():
    before = None
    for at in range(40):
        link = noop.override(task_id=f"t{at}")()
        if before is not None:
            before >> link
        before = link


@dag(dag_id="fan1000", schedule=None, start_date=datetime(2024, 1, 1), max_active_tasks=1000)
def fan1000():
    for at in range(1000):
        noop.override(task_id=f"t{at}")()


chain40()
fan1000()
