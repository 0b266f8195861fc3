"""Whether this worker is stopping: a flag that its main process sets and its pool's processes read."""

import mmap


class Stopping:
    """One byte of memory shared with every process forked after it was made."""

    def __init__(self) -> None:
        self._byte = mmap.mmap(-1, 1)

    def set(self) -> None:
        self._byte[0] = 1

    def __bool__(self) -> bool:
        return self._byte[0] == 1
