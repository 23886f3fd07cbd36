"""nginx with nchan, Debian's: nchan/nginx.conf, started by us in a folder that is thrown away."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from load.compiler import CannotMeasureError
from load.peers.settings import filled
from load.servers import Server, running
from tests.servers import free_port

PACKAGES = ("nginx-light", "libnginx-mod-nchan")
MODULES = (Path("/usr/lib/nginx/modules"), Path("/usr/lib64/nginx/modules"))


def programs() -> tuple[str, Path]:
    """nginx and nchan's module; raises CannotMeasureError where one is missing."""
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    module = next((x for folder in MODULES if (x := folder / "ngx_nchan_module.so").exists()), None)
    if nginx is None or module is None:
        raise CannotMeasureError(f"nginx with nchan is not installed (Debian: apt-get install {' '.join(PACKAGES)})")
    return nginx, module


@contextmanager
def nchan() -> Iterator[Server]:
    """One worker process and its master, which are measured together."""
    nginx, module = programs()
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="hubchat-load-") as folder:
        configuration = filled("nchan/nginx.conf", Path(folder), MODULE=str(module), PORT=str(port))
        command = [nginx, "-p", folder, "-c", str(configuration), "-e", f"{folder}/error.log"]
        with running(command, port, log=Path(folder) / "log") as server:
            yield server
