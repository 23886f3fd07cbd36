"""What the kernel knows of a process, and which core runs what."""

import os
import platform
import tempfile
import time
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cores() -> tuple[int, int]:
    """The core for servers and the one for members: the first and the last that we may use."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


def cpu_s(pid: int) -> float:
    """User and system time so far of a process and of those it started, all threads, to 10 ms."""
    return sum(_ticks(each) for each in _family(pid)) / TICKS_PER_S


def _ticks(pid: int) -> int:
    """With what a process took over from children that have ended, so that a sum never shrinks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15]))  # utime, stime, cutime, cstime: proc(5)


def _family(pid: int) -> list[int]:
    """A process, its children and theirs."""
    children = [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in _children(task)]
    return [pid, *(member for child in children for member in _family(child))]


def _children(task: Path) -> list[str]:
    try:
        return (task / "children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        if task.exists():
            raise  # a kernel without CONFIG_PROC_CHILDREN would leave a server's workers out
        return []  # the thread ended while we looked


def rss_bytes(pid: int) -> int:
    """Resident memory of a process and of those it started, without what the kernel holds for their sockets."""
    return sum(_rss_bytes(each) for each in _family(pid))


def _rss_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"no Rss in smaps_rollup of {pid}")


def socket_bytes() -> int:
    """What the kernel holds for all TCP sockets here, both ends of a loopback connection: sockstat's `mem`."""
    for line in Path("/proc/net/sockstat").read_text().splitlines():
        if line.startswith("TCP:"):
            return int(line.split()[-1]) * os.sysconf("SC_PAGE_SIZE")
    raise RuntimeError("no TCP in /proc/net/sockstat")


def busy(seconds: float = 3.0) -> float:
    """The share of all cores' time that others use, from 0 to 1, watched for a while; ask before measuring."""
    before = _times()
    time.sleep(seconds)
    idle, whole = (now - then for now, then in zip(_times(), before, strict=True))
    return 1 - idle / whole


def _times() -> tuple[int, int]:
    """Idle and all ticks of all cores so far: the first line of /proc/stat, proc(5)."""
    ticks = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)


def file_system(folder: Path) -> str:
    """What kind of file system a folder is on: on `tmpfs` a commit waits for no disk."""
    mounts = [line.split()[1:3] for line in Path("/proc/self/mounts").read_text().splitlines()]
    kinds = dict(mounts)  # by place; the last one of a place hides the others
    here = folder.resolve()
    return next(kinds[str(place)] for place in (here, *here.parents) if str(place) in kinds)


def describe() -> str:
    """Processor, cores, memory, kernel and where databases lie in one line, without the machine's name."""
    cpu = Path("/proc/cpuinfo").read_text()
    model = next((x.split(": ")[1] for x in cpu.splitlines() if x.startswith("model name")), "?")
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{model}, {len(os.sched_getaffinity(0))} cores, {memory_gib:.0f} GiB, "
        f"Linux {'.'.join(platform.release().split('.')[:2])}, Python {platform.python_version()}, "
        f"databases on {file_system(Path(tempfile.gettempdir()))}"
    )
