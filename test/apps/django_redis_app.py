"""Django with django-redis on the server: run as `python3 django_redis_app.py PORT`. Exits with 0 if all is as
expected: the cache, sessions in it, what django-redis adds (patterns, ttl, locks), and many threads at once."""

import sys
import threading
import time

import django
from django.conf import settings

PORT = int(sys.argv[1])
settings.configure(
    CACHES={
        name: {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": f"redis://127.0.0.1:{PORT}/{db}",
            "KEY_PREFIX": prefix,
            "OPTIONS": {"CLIENT_CLASS": "django_redis.client.DefaultClient", **options},
        }
        for name, db, prefix, options in [
            ("default", 1, "site", {}),
            ("other", 1, "other", {}),
            (
                "packed",
                2,
                "",
                {
                    "COMPRESSOR": "django_redis.compressors.zlib.ZlibCompressor",
                    "SERIALIZER": "django_redis.serializers.json.JSONSerializer",
                },
            ),
        ]
    },
    SESSION_ENGINE="django.contrib.sessions.backends.cache",
    SESSION_CACHE_ALIAS="default",
    SECRET_KEY="test",
    USE_TZ=True,
)
django.setup()

from django.contrib.sessions.backends.cache import SessionStore  # noqa: E402
from django.core.cache import cache, caches  # noqa: E402
from django_redis import get_redis_connection  # noqa: E402

checks = 0


def check(got, wanted):
    global checks
    checks += 1
    if got != wanted:
        raise AssertionError(f"check {checks}: got {got!r}, wanted {wanted!r}")


def the_cache():
    check(cache.set("key", {"a": [1, 2.5, None], "b": "gr\u00fc\u00df"}), True)
    check(cache.get("key"), {"a": [1, 2.5, None], "b": "gr\u00fc\u00df"})
    check(cache.get("none", 7), 7)
    check(cache.add("key", 1), False)
    check(cache.add("new", 1, timeout=60), True)
    check(cache.get_or_set("computed", lambda: 42), 42)
    check(cache.get_or_set("computed", lambda: 43), 42)
    check(cache.has_key("new"), True)
    check("none" in cache, False)
    cache.set("counter", 10)
    check(cache.incr("counter", 5), 15)
    check(cache.decr("counter"), 14)
    try:
        cache.incr("none")
    except ValueError:
        check(True, True)
    else:
        raise AssertionError("incr of what is not there")
    cache.set_many({f"many:{n}": n for n in range(100)}, timeout=100)
    some = {f"many:{n}": n for n in range(0, 100, 30)}
    check(cache.get_many([*some, "none"]), some)
    check(cache.delete_many(["many:0", "many:1", "none"]), 2)
    check(cache.delete("many:2"), True)
    check(cache.delete("many:2"), False)
    cache.set("versioned", "old", version=1)
    check(cache.incr_version("versioned"), 2)
    check(cache.get("versioned", version=2), "old")
    check(cache.set("only", 1, nx=True), True)
    check(cache.set("only", 2, nx=True), False)
    cache.set("large", "x" * 300_000)
    check(len(cache.get("large")), 300_000)


def time_to_live():
    cache.set("brief", 1, timeout=0.05)
    cache.set("long", 1, timeout=1000)
    cache.set("ever", 1, timeout=None)
    check(990 < cache.ttl("long") <= 1000, True)
    check(990_000 < cache.pttl("long") <= 1_000_000, True)
    check(cache.ttl("ever"), None)
    check(cache.ttl("none"), 0)
    check(cache.expire("ever", timeout=500), True)
    check(490 < cache.ttl("ever") <= 500, True)
    check(cache.pexpire("ever", timeout=5000), True)
    check(cache.persist("ever"), True)
    check(cache.ttl("ever"), None)
    check(cache.touch("long", 5), True)
    check(0 < cache.ttl("long") <= 5, True)
    time.sleep(0.2)
    check(cache.get("brief"), None)


def patterns():
    for n in range(500):
        cache.set(f"user:{n}:name", n)
        caches["other"].set(f"user:{n}:name", n)
    check(len(cache.keys("user:*")), 500)
    check(sorted(cache.iter_keys("user:1?:*")), sorted(f"user:{n}:name" for n in range(10, 20)))
    check(cache.delete_pattern("user:*:name", itersize=50), 500)
    check(cache.keys("user:*"), [])
    check(len(caches["other"].keys("user:*")), 500)
    check(caches["other"].delete_pattern("*"), 500)


def sessions():
    session = SessionStore()
    session["user"] = "somebody"
    session["cart"] = list(range(50))
    session.set_expiry(300)
    session.save(must_create=True)
    again = SessionStore(session_key=session.session_key)
    check(again["cart"], list(range(50)))
    check(290 < cache.ttl(again.cache_key) <= 300, True)
    again.cycle_key()
    check(again.session_key != session.session_key, True)
    check(SessionStore(session_key=session.session_key).load(), {})
    check(SessionStore(session_key=again.session_key)["user"], "somebody")
    again.flush()
    check(SessionStore().exists(again.session_key), False)


def compressed():
    packed = caches["packed"]
    value = {"text": "lorem ipsum " * 1000, "list": [1, 2, 3]}
    packed.set("doc", value)
    check(packed.get("doc"), value)
    check(get_redis_connection("packed").strlen(packed.make_key("doc")) < 1000, True)
    packed.clear()
    check(packed.get("doc"), None)


def threads():
    cache.set("sum", 0)

    def work():
        for _ in range(50):
            cache.incr("sum")

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    check(cache.get("sum"), 400)


def locks():
    """Released by a script."""
    with cache.lock("lock", timeout=5):
        check(cache.lock("lock", blocking_timeout=0.05).acquire(), False)
    check(cache.lock("lock", timeout=5, blocking_timeout=0.05).acquire(), True)
    cache.delete("lock")


the_cache()
time_to_live()
patterns()
sessions()
compressed()
threads()
locks()
cache.clear()
check(get_redis_connection("default").dbsize(), 0)
print(f"django-redis: {checks} checks")
