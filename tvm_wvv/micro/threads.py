"""The threads of TVM's runtime that a network compiled for several runs on.

Each thread of a program that calls a network has a pool of its own, made when it first needs one. `TVM_NUM_THREADS`
says how many it has, and counts where the user set it: with fewer threads than a network was compiled for, each
computes several chunks, and the bytes are the same.
"""

from __future__ import annotations

import os
import threading

import tvm

# Of `runtime.config_threadpool`: the number that follows says it all.
_ANY_CORES = 1


class _Pool(threading.local):
    used = 0


_pool = _Pool()


def use_threads(count: int) -> None:
    """From here on the pool of the calling thread works with `count` threads, or with all it has where these are fewer.

    What is set already is left alone, so that it costs next to nothing before every call.
    """
    if _pool.used == count:
        return
    os.environ.setdefault("TVM_NUM_THREADS", str(count))
    # Threads bound to the first cores would stand in line there with those of every other program that binds its own.
    os.environ.setdefault("TVM_BIND_THREADS", "0")
    tvm.get_global_func("runtime.config_threadpool")(_ANY_CORES, count)
    _pool.used = count
