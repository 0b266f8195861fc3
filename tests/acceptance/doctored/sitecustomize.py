"""Put on a worker's path, makes that worker misbehave as its environment says. Read by Python at every start.

`CLOCK_OFF` (seconds): its wall clock is off by so much. `POISON`: the transfer of a customer of this name kills its
process, as a crash in a C library or the kernel's out-of-memory killer would. `BUG`: that of a customer of this name
meets an error that nobody foresaw, which quotes the customer.
"""

import os
import signal
import sys
import time
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

if offset := float(os.environ.get("CLOCK_OFF", "0")):
    right = time.time
    time.time = lambda: right() + offset

poison, bug = os.environ.get("POISON"), os.environ.get("BUG")
if poison or bug:

    class Poisoned(MetaPathFinder):
        """Doctors `tasks.customers` when it is imported."""

        def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
            if name != "tasks.customers":
                return None
            spec = PathFinder.find_spec(name, path)
            assert spec is not None
            loader: Any = spec.loader
            load = loader.exec_module

            def doctored(module: Any) -> None:
                load(module)
                to_customer = module.to_customer

                def deadly(customer: Any) -> Any:
                    if customer.name == poison:
                        os.kill(os.getpid(), signal.SIGKILL)
                    if customer.name == bug:
                        return {}[f"{customer.name} {customer.email} {customer.organization_number}"]
                    return to_customer(customer)

                module.to_customer = deadly

            loader.exec_module = doctored
            return spec

    sys.meta_path.insert(0, Poisoned())
