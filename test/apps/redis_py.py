"""What redis-py sees of the server: run as `python3 redis_py.py PORT`. Exits with 0 if all is as redis-py expects it."""

import sys
import threading
import time

import redis

PORT = int(sys.argv[1])
r = redis.Redis(port=PORT)
text = redis.Redis(port=PORT, decode_responses=True)
checks = 0


def check(got, wanted):
    global checks
    checks += 1
    if got != wanted:
        raise AssertionError(f"check {checks}: got {got!r}, wanted {wanted!r}")


def check_error(call, kind, message):
    try:
        result = call()
    except kind as error:
        check(message in str(error), True)
    else:
        raise AssertionError(f"no error, but {result!r}")


def strings():
    check(r.set("s", b"\x00\xff\r\n"), True)
    check(r.get("s"), b"\x00\xff\r\n")
    check(text.set("u", "gr\u00fc\u00df"), True)
    check(text.get("u"), "gr\u00fc\u00df")
    check(r.set("s", 1, nx=True), None)
    check(r.set("s", 1, xx=True, get=True), b"\x00\xff\r\n")
    check(r.mset({"a": 1, "b": 2.5, "c": "x"}), True)
    check(r.mget("a", "b", "c", "none"), [b"1", b"2.5", b"x", None])
    check(r.msetnx({"a": 1, "z": 2}), False)
    check((r.incr("a"), r.incrby("a", 10), r.decr("a"), r.decrby("a", 4)), (2, 12, 11, 7))
    check(r.incr("a", 2**62), 2**62 + 7)
    check(r.incrbyfloat("b", "0.1"), 2.6)
    check((r.append("c", "yz"), r.strlen("c"), r.getrange("c", 1, -1)), (3, 3, b"yz"))
    check((r.setrange("c", 5, "!"), r.get("c")), (6, b"xyz\x00\x00!"))
    check((r.getset("c", "new"), r.getdel("c"), r.get("c")), (b"xyz\x00\x00!", b"new", None))
    r.mset({"l1": "ohmytext", "l2": "mynewtext"})
    check(r.execute_command("LCS", "l1", "l2"), b"mytext")
    check_error(lambda: r.incr("l1"), redis.ResponseError, "not an integer or out of range")
    check_error(lambda: r.execute_command("NOSUCH", "x"), redis.ResponseError, "unknown command 'NOSUCH'")
    check_error(lambda: r.execute_command("GET"), redis.ResponseError, "wrong number of arguments for 'get' command")


def expiry():
    check(r.set("e", 1, ex=100), True)
    check(95 < r.ttl("e") <= 100, True)
    check(r.persist("e"), True)
    check((r.ttl("e"), r.ttl("none")), (-1, -2))
    check(r.pexpire("e", 30), True)
    check(r.expire("e", 1000, nx=True), False)
    time.sleep(0.05)
    check(r.exists("e"), 0)
    check((r.setex("e", 10, "x"), r.psetex("e2", 20, "y")), (True, True))
    check(r.getex("e", persist=True), b"x")
    check(r.expireat("e", int(time.time()) - 1), True)
    check(r.get("e"), None)


def keys():
    r.flushall()
    names = {f"key:{i}".encode() for i in range(1000)}
    r.mset({name: 1 for name in names})
    check(r.dbsize(), 1000)
    check(set(r.scan_iter(count=37)), names)
    check(set(r.scan_iter(match="key:99*", count=100)), {b"key:99"} | {f"key:99{i}".encode() for i in range(10)})
    check(set(r.scan_iter(_type="string", count=500)), names)
    check(set(r.keys("key:1?")), {f"key:1{i}".encode() for i in range(10)})
    check(r.randomkey() in names, True)
    check((r.type("key:1"), r.type("none")), (b"string", b"none"))
    check((r.rename("key:1", "moved"), r.exists("key:1", "moved")), (True, 1))
    check((r.renamenx("moved", "key:2"), r.copy("moved", "copied"), r.touch("moved", "copied")), (False, True, 2))
    check((r.delete("moved", "copied", "none"), r.unlink("key:3")), (2, 1))
    check(r.object("encoding", "key:2"), b"int")
    check((r.move("key:4", 1), redis.Redis(port=PORT, db=1).get("key:4")), (True, b"1"))
    check((r.swapdb(0, 1), r.dbsize()), (True, 1))
    check(r.flushdb() and r.swapdb(0, 1), True)


def pipelines():
    with r.pipeline(transaction=False) as pipe:
        for i in range(5000):
            pipe.set(f"p{i}", i).get(f"p{i}")
        replies = pipe.execute()
    check(replies[1::2], [str(i).encode() for i in range(5000)])
    with r.pipeline(transaction=False) as pipe:
        replies = pipe.set("x", "a").incr("x").get("x").execute(raise_on_error=False)
    check([replies[0], isinstance(replies[1], redis.ResponseError), replies[2]], [True, True, b"a"])


def large_values():
    value = bytes(range(256)) * 40_000
    check(r.set("large", value), True)
    check(r.get("large") == value, True)
    check(r.delete("large"), 1)


def threads():
    r.set("n", 0)

    def work():
        for _ in range(200):
            r.incr("n")

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    check(r.get("n"), b"1600")


def server():
    check(r.ping(), True)
    check(r.echo("hi"), b"hi")
    info = r.info()
    check((info["redis_version"], info["tcp_port"], info["loading"]), ("7.2.4", PORT, 0))
    check(r.info("keyspace")["db0"]["keys"], r.dbsize())
    check(r.config_get("maxmemory*")["maxmemory-policy"], "noeviction")
    check(r.config_set("maxmemory-samples", 7), True)
    check(r.config_get("maxmemory-samples"), {"maxmemory-samples": "7"})
    check(r.config_resetstat(), True)
    check(r.client_setname("py"), True)
    check(r.client_getname(), "py")
    check([client["name"] for client in r.client_list() if client["id"] == str(r.client_id())], ["py"])
    check(r.client_info()["name"], "py")
    check(abs(r.time()[0] - time.time()) < 60, True)
    check(r.command_count() > 50, True)
    check(r.command()["get"]["arity"], 2)
    check(r.command_getkeys("MSET", "a", 1, "b", 2), ["a", "b"])
    check(r.memory_usage("n") > 0, True)
    check(r.memory_stats()["keys.count"], r.dbsize())
    r.config_set("slowlog-log-slower-than", 0)
    r.get("slow")
    r.config_set("slowlog-log-slower-than", 10000)
    check(b"GET slow" in [entry["command"] for entry in r.slowlog_get(5)], True)
    check((r.slowlog_reset(), r.slowlog_len()), (True, 0))
    check(r.role()[0], b"master")
    with r.monitor() as monitor:
        text.set("watched", 1)
        check(monitor.next_command()["command"], "SET watched 1")


def connections():
    single = redis.Redis(port=PORT, single_connection_client=True, client_name="single", db=2)
    check((single.client_getname(), single.set("k", "v"), single.get("k")), ("single", True, b"v"))
    single.select(0)
    check(single.get("k"), None)
    check(r.client_kill_filter(_id=single.client_id()), 1)
    check_error(single.ping, redis.ConnectionError, "closed")
    check(single.ping(), True)
    r.config_set("requirepass", "secret")
    check_error(lambda: redis.Redis(port=PORT).ping(), redis.AuthenticationError, "Authentication required")
    check_error(lambda: redis.Redis(port=PORT, password="no").ping(), redis.RedisError, "WRONGPASS")
    check(redis.Redis(port=PORT, password="secret").ping(), True)
    check(redis.Redis(port=PORT, username="default", password="secret").config_set("requirepass", ""), True)


r.flushall()
for part in (strings, expiry, keys, pipelines, large_values, threads, server, connections):
    part()
print(f"redis-py {redis.__version__}: {checks} checks")
