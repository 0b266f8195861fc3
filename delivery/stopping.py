"""A flag that the worker is stopping: set by its main process, read by its pool's processes."""

import mmap


class Stopping:
    """One byte of memory, shared with every process forked later."""

    def __init__(self) -> None:
        self._byte = mmap.mmap(-1, 1)

    def set(self) -> None:
        self._byte[0] = 1

    def __bool__(self) -> bool:
        return self._byte[0] == 1
