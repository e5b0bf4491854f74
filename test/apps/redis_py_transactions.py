"""redis-py's pipelines and WATCH: run as `python3 redis_py_transactions.py PORT`. Exits with 0 if all is as it expects."""

import sys
import threading

import redis
from redis.exceptions import ExecAbortError, ResponseError, WatchError

PORT = int(sys.argv[1])
r = redis.Redis(port=PORT, decode_responses=True)
checks = 0


def check(got, wanted):
    global checks
    checks += 1
    if got != wanted:
        raise AssertionError(f"check {checks}: got {got!r}, wanted {wanted!r}")


def pipelines():
    with r.pipeline() as pipe:
        pipe.set("a", 1).incr("a").rpush("l", "x", "y").lrange("l", 0, -1).hset("h", mapping={"f": "v"}).hgetall("h")
        check(pipe.execute(), [True, 2, 2, ["x", "y"], 1, {"f": "v"}])
        check(pipe.execute(), [])
        pipe.get("a").zadd("z", {"m": 1.5}).zscore("z", "m").smembers("s").exists("none")
        check(pipe.execute(), ["2", 1, 1.5, set(), 0])
    with r.pipeline(transaction=False) as pipe:
        for index in range(500):
            pipe.set(f"key:{index}", index)
        check(pipe.execute(), [True] * 500)
    with r.pipeline(transaction=True) as pipe:
        for index in range(500):
            pipe.get(f"key:{index}")
        check(pipe.execute(), [str(index) for index in range(500)])


def errors():
    with r.pipeline() as pipe:
        pipe.set("text", "x").lpush("text", "y").set("after", 1)
        replies = pipe.execute(raise_on_error=False)
        check([type(reply) for reply in replies], [bool, ResponseError, bool])
        check(r.get("after"), "1")
        pipe.set("text", "z").lpush("text", "y")
        try:
            pipe.execute()
            check("no error", "an error")
        except ResponseError as error:
            check("Command # 2 (LPUSH text y)" in str(error), True)
    with r.pipeline() as pipe:
        pipe.set("spoiled", 1).execute_command("NOSUCH", "a")
        try:
            pipe.execute()
            check("no error", "an error")
        except ExecAbortError:
            check(True, True)
        except ResponseError as error:
            check("unknown command" in str(error).lower(), True)
        check(r.get("spoiled"), None)
    with r.pipeline() as pipe:
        pipe.set("dropped", 1)
        pipe.reset()
        check(pipe.execute(), [])
        check(r.get("dropped"), None)


def watching():
    r.set("watched", 1)
    with r.pipeline() as pipe:
        pipe.watch("watched")
        check(pipe.get("watched"), "1")
        r.set("watched", 2)
        pipe.multi()
        pipe.set("watched", 3)
        try:
            pipe.execute()
            check("no error", "WatchError")
        except WatchError:
            check(r.get("watched"), "2")
    with r.pipeline() as pipe:
        pipe.watch("watched", "other")
        pipe.unwatch()
        r.set("watched", 4)
        pipe.get("watched")
        check(pipe.execute(), ["4"])
    with r.pipeline() as pipe:
        pipe.watch("watched")
        pipe.multi()
        pipe.get("watched")
        check(pipe.execute(), ["4"])
    check(r.transaction(lambda pipe: pipe.multi() or pipe.incr("watched"), "watched"), [5])


def retry():
    """Every increment counts, though all threads read and write the same key."""

    def add(pipe):
        value = int(pipe.get("total") or 0)
        pipe.multi()
        pipe.set("total", value + 1)

    def work():
        own = redis.Redis(port=PORT, decode_responses=True)
        for _ in range(25):
            own.transaction(add, "total")

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(r.get("total"), "150")


def messages():
    listener = r.pubsub(ignore_subscribe_messages=True)
    listener.subscribe("news")
    listener.get_message(timeout=60)
    with r.pipeline() as pipe:
        pipe.publish("news", "first").set("a", 1).publish("news", "second")
        check(pipe.execute(), [1, True, 1])
    got = []
    while len(got) < 2:
        message = listener.get_message(timeout=60)
        if message is not None:
            got.append(message["data"])
    check(got, ["first", "second"])
    listener.close()


r.flushall()
for part in (pipelines, errors, watching, retry, messages):
    part()
print(f"redis-py {redis.__version__} transactions: {checks} checks")
