"""Serving: the same tools as Ray Serve replicas, and the HTTP doors before them.

Ray reads its environment once, when it is first imported; so it is set here, before that can be.
"""

import os

_RAY = {
    "RAY_AUTH_MODE": "token",
    # Ray reads this on any system: its own sockets, pickle behind them, stay on loopback.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    # On a busy machine Ray's processes are slow, not broken; by itself it gives up after 30 s.
    "RAY_raylet_start_wait_time_s": "240",
    "RAY_agent_register_timeout_ms": "240000",
    "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "120",
    "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S": "60",
    # Ray gives its workers way to everything else; here they are what the machine is for.
    "RAY_worker_niceness": "0",
}
for _name, _value in _RAY.items():
    os.environ.setdefault(_name, _value)
