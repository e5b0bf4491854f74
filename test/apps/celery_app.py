"""Celery with the server as broker and result backend: run as `python3 celery_app.py PORT`. Exits with 0 if all is as
expected.

It starts a worker (itself, as a Celery application) and gives it work: 200 tasks, retries, a task for later, one that
fails, groups, chains, a chord, a task that is revoked, a queue of its own, and the worker's remote control."""

import os
import subprocess
import sys
import tempfile
import time

from celery import Celery, chain, chord, group
from celery.exceptions import TimeoutError as CeleryTimeout
from celery.result import GroupResult

PORT = int(os.environ.get("CINNABAR_TEST_PORT") or sys.argv[1])
PATIENCE = 60

app = Celery("celery_app", broker=f"redis://127.0.0.1:{PORT}/0", backend=f"redis://127.0.0.1:{PORT}/1")
app.conf.update(
    broker_connection_retry_on_startup=True,
    broker_transport_options={"visibility_timeout": 3600, "queue_order_strategy": "priority"},
    result_expires=3600,
    result_extended=True,
    task_track_started=True,
    worker_prefetch_multiplier=4,
    task_default_queue="jobs",
)


@app.task(name="add")
def add(a, b):
    return a + b


@app.task(name="total")
def total(numbers):
    return sum(numbers)


@app.task(name="stubborn", bind=True, max_retries=2)
def stubborn(self, succeeds_at):
    if self.request.retries < succeeds_at:
        raise self.retry(countdown=0.05, exc=RuntimeError("not yet"))
    return self.request.retries


@app.task(name="failing")
def failing():
    raise ValueError("on purpose")


@app.task(name="progress", bind=True)
def progress(self):
    self.update_state(state="PROGRESS", meta={"done": 50})
    time.sleep(0.3)
    return "done"


checks = 0


def check(got, wanted):
    global checks
    checks += 1
    if got != wanted:
        raise AssertionError(f"check {checks}: got {got!r}, wanted {wanted!r}")


def many():
    results = [add.delay(n, n) for n in range(200)]
    check([result.get(timeout=PATIENCE) for result in results], [2 * n for n in range(200)])
    check(group(add.s(n, 1) for n in range(50)).apply_async().get(timeout=PATIENCE), list(range(1, 51)))


def retries_and_failures():
    check(stubborn.delay(2).get(timeout=PATIENCE), 2)
    try:
        stubborn.apply_async((99,)).get(timeout=PATIENCE)
    except RuntimeError as error:
        check(str(error), "not yet")
    else:
        raise AssertionError("a task that never succeeds")
    result = failing.delay()
    try:
        result.get(timeout=PATIENCE)
    except ValueError as error:
        check(str(error), "on purpose")
    else:
        raise AssertionError("a task that fails")
    check(result.state, "FAILURE")
    check("ValueError: on purpose" in result.traceback, True)


def later():
    start = time.time()
    result = add.apply_async((1, 2), countdown=1)
    try:
        result.get(timeout=0.2)
    except CeleryTimeout:
        check(True, True)
    else:
        raise AssertionError("a task before its time")
    check(result.get(timeout=PATIENCE), 3)
    check(time.time() - start >= 1, True)


def compositions():
    check(chain(add.s(1, 2), add.s(10), add.s(100)).apply_async().get(timeout=PATIENCE), 113)
    check(chord((add.s(n, n) for n in range(20)), total.s()).apply_async().get(timeout=PATIENCE), 380)
    check((group(add.s(1, 1), add.s(2, 2)) | total.s() | add.s(1000)).apply_async().get(timeout=PATIENCE), 1006)
    saved = group(add.s(n, 0) for n in range(5)).apply_async()
    saved.save()
    check(saved.get(timeout=PATIENCE), [0, 1, 2, 3, 4])
    check([result.result for result in GroupResult.restore(saved.id).results], [0, 1, 2, 3, 4])
    saved.delete()
    check(GroupResult.restore(saved.id), None)


def states():
    result = progress.delay()
    seen = set()
    result.get(timeout=PATIENCE, on_message=lambda message: seen.add(message["status"]))
    check("PROGRESS" in seen, True)
    check(result.result, "done")
    result.forget()
    check(result.state, "PENDING")


def control():
    check(list(app.control.ping(timeout=10, limit=1)[0].values()), [{"ok": "pong"}])
    inspected = app.control.inspect(timeout=10, limit=1)
    check(sorted(name for name in list(inspected.registered().values())[0] if "." not in name)[:2], ["add", "failing"])
    result = add.apply_async((1, 2), countdown=3600)
    deadline = time.time() + PATIENCE
    while not any(inspected.scheduled().values()):
        check(time.time() < deadline, True)
    result.revoke()
    check(list(inspected.active_queues().values())[0][0]["name"], "jobs")
    add.apply_async((1, 1), queue="nobody's")
    with app.connection_or_acquire() as connection:
        check(connection.default_channel.queue_declare("nobody's", passive=True).message_count, 1)
        check(connection.default_channel.queue_purge("nobody's"), 1)


def start_worker(folder):
    words = [sys.executable, "-m", "celery", "-A", "celery_app", "worker", "--concurrency=2", "--loglevel=INFO"]
    here = os.path.dirname(os.path.abspath(__file__))
    environment = {**os.environ, "CINNABAR_TEST_PORT": str(PORT), "PYTHONPATH": here, "C_FORCE_ROOT": "1"}
    log = open(os.path.join(folder, "worker.log"), "wb")
    return subprocess.Popen([*words, "--pool=threads"], cwd=folder, env=environment, stdout=log, stderr=log)


def main():
    with tempfile.TemporaryDirectory() as folder:
        worker = start_worker(folder)
        try:
            for part in (many, retries_and_failures, later, compositions, states, control):
                part()
        except BaseException:
            with open(os.path.join(folder, "worker.log"), encoding="utf8", errors="replace") as log:
                sys.stderr.write(log.read()[-8000:])
            raise
        finally:
            worker.terminate()
            status = worker.wait(timeout=PATIENCE)
        check(status, 0)
    print(f"celery: {checks} checks")


if __name__ == "__main__":
    main()
