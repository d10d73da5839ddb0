"""Deployed: the doors and the tools as one Ray Serve application.

`serving.deployed:application` is what a Serve config file names; see serving/k8s/.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serving.config import ServingConfig
from serving.replica import deployments
from tools.errors import InvalidInput
from tools.profile import Profile, load_profile
from tools.toolbox import tools_of

if TYPE_CHECKING:
    from fastapi import FastAPI
    from ray.serve import Application
    from ray.serve.handle import DeploymentHandle

RUNNING = 64  # requests inside a front; streams that only wait are among them
WAITING = 128


class FrontReplica:
    """The process behind the HTTP proxy."""

    async def __init__(  # type: ignore[misc]  # Serve awaits it
        self, profile: Profile, home: str, llm: str, **handles: DeploymentHandle[Any]
    ) -> None:
        """Connect to the tools; ready when every group has loaded what it can."""
        import ray

        from agent import graph, language
        from serving import tracing
        from serving.front import Front
        from serving.pixels import Pixels
        from serving.toolbox import ServeToolbox

        tracing.begin()
        node = ray.get_runtime_context().get_node_id()
        pixels = Pixels.of_node(node, Path(home))
        toolbox = await ServeToolbox.connect(profile, handles, pixels)
        limits = ServingConfig.of(profile).limits
        self._front = Front(Path(home), toolbox, language.planner(llm), limits)
        graph.compiled()  # what it imports takes a second or more that no request shall wait for
        await self._front.jobs.recover()

    def __serve_build_asgi_app__(self) -> FastAPI:
        from serving.app import build

        return build(self._front)


def bind(profile: Profile, home: Path, llm: str = "embedded") -> Application:
    """The application; `serve.run` starts it.

    Raises:
        InvalidInput: the profile is wrong; said here, since Serve would try a replica again.
    """
    from ray import serve

    tools_of(profile)
    front = serve.deployment(
        name="front",
        num_replicas=1,
        max_ongoing_requests=RUNNING,
        max_queued_requests=WAITING,
        graceful_shutdown_timeout_s=20,
        ray_actor_options={
            "num_cpus": 1,
            "runtime_env": {
                "env_vars": {
                    "OMP_NUM_THREADS": "1",
                    "OMP_WAIT_POLICY": "PASSIVE",
                    "SIGHTLOOP_HOME": str(home),
                }
            },
        },
    )(serve.ingress()(FrontReplica))
    return front.bind(profile, str(home), llm, **deployments(profile, home))


def deploy(profile: Profile, home: Path, llm: str = "embedded") -> None:
    """Start the application on the Ray that runs here; returns when it is ready."""
    from ray import serve

    serve.run(bind(profile, home, llm), name="sightloop", route_prefix="/")


def application(arguments: dict[str, str]) -> Application:
    """The application of a Serve config file.

    Args:
        arguments: `profile`, `home` and `llm`, each optional.

    Raises:
        InvalidInput: another argument, or a wrong profile.
    """
    if unknown := set(arguments) - {"profile", "home", "llm"}:
        raise InvalidInput(f"args: no {', '.join(sorted(unknown))}; there are: profile, home, llm")
    home = arguments.get("home") or os.environ.get("SIGHTLOOP_HOME")
    if not home:
        raise InvalidInput("args: name the folder `home`, or set SIGHTLOOP_HOME")
    profile = load_profile(arguments.get("profile", "miniature"))
    return bind(profile, Path(home), arguments.get("llm", "embedded"))
