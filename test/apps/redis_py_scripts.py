"""redis-py's scripts, functions and locks: run as `python3 redis_py_scripts.py PORT`. Exits with 0 if all is well."""

import sys
import threading
import time

import redis
from redis.exceptions import LockError, LockNotOwnedError, NoScriptError, ResponseError

PORT = int(sys.argv[1])
r = redis.Redis(port=PORT, decode_responses=True)
checks = 0


def check(got, wanted):
    global checks
    checks += 1
    if got != wanted:
        raise AssertionError(f"check {checks}: got {got!r}, wanted {wanted!r}")


def refused(error, action):
    try:
        action()
    except error as reason:
        check(True, True)
        return str(reason)
    raise AssertionError(f"no {error.__name__}")


def scripts():
    multiply = r.register_script("return redis.call('GET', KEYS[1]) * ARGV[1]")
    r.set("n", 6)
    check(multiply(keys=["n"], args=[7]), 42)
    check(r.script_exists(multiply.sha, "0" * 40), [True, False])
    r.script_flush()
    refused(NoScriptError, lambda: r.evalsha(multiply.sha, 1, "n", 2))
    check(multiply(keys=["n"], args=[2]), 12)
    with r.pipeline() as pipe:
        pipe.set("n", 3)
        multiply(keys=["n"], args=[5], client=pipe)
        check(pipe.execute(), [True, 15])
    check(r.eval("return {1, 'two', {3.7, false}}", 0), [1, "two", [3, None]])
    check("user_script:1" in refused(ResponseError, lambda: r.eval("return nil .. 1", 0)), True)


def functions():
    code = "#!lua name=tools\nredis.register_function('double', function(k, a) return a[1] * 2 end)"
    check(r.function_load(code, replace=True), "tools")
    check(r.fcall("double", 0, 21), 42)
    check(r.function_delete("tools"), True)


def locks():
    lock = r.lock("lock", timeout=10)
    check(lock.acquire(), True)
    check(r.lock("lock", blocking_timeout=0.05).acquire(), False)
    check(lock.owned(), True)
    check(lock.extend(50), True)
    check(50 < r.ttl("lock") <= 60, True)
    check(lock.reacquire(), True)
    check(r.ttl("lock") <= 10, True)
    lock.release()
    refused(LockError, lock.release)
    lost = r.lock("lock", timeout=0.05)
    lost.acquire()
    time.sleep(0.1)
    other = r.lock("lock", timeout=10)
    check(other.acquire(blocking=False), True)
    refused(LockNotOwnedError, lost.release)
    other.release()


def contention():
    total = []

    def work():
        mine = redis.Redis(port=PORT)
        for _ in range(10):
            with mine.lock("counter", timeout=10, sleep=0.002):
                value = int(mine.get("total") or 0)
                mine.set("total", value + 1)
        total.append(True)

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(len(total), 5)
    check(r.get("total"), "50")


for part in (scripts, functions, locks, contention):
    r.flushall()
    part()
print(f"redis-py {redis.__version__} scripts: {checks} checks")
