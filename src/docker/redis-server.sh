#!/bin/sh
# redis-server in the image. Of glibc's malloc (musl's knows nothing of these):
#   hugetlb          huge pages for the chunks that the data lies in
#   the others       what compiling leaves behind goes back to the system: one arena, large pieces mapped, the end trimmed
malloc=glibc.malloc
export GLIBC_TUNABLES=$malloc.hugetlb=1:$malloc.arena_max=1:$malloc.mmap_threshold=32768:$malloc.trim_threshold=32768:$malloc.top_pad=0
exec node --single-threaded-gc --max-semi-space-size=2 --v8-pool-size=1 /opt/cinnabar/dist/main.js "$@"
