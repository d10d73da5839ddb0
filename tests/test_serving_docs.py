"""What docs/serving.md says: its session with curl as pasted, and the files for a cluster."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image as PIL

from agent.plan import Call, Plan
from serving.config import Limits
from serving.front import Front
from tests.agent_drawn import Classify, Generate, Ground, HereToolbox, Scripted, Vqa, painted
from tests.http_server import served
from tools.errors import InvalidInput

ROOT = Path(__file__).resolve().parents[1]
CLUSTER = ROOT / "serving" / "k8s"


@pytest.mark.skipif(
    not all(shutil.which(program) for program in ("bash", "curl", "jq")),
    reason="the session is for a shell with curl and jq",
)
def test_the_session_with_curl_runs_as_pasted(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "serving.md").read_text()
    session = re.search(r"## A session with curl\n.*?```bash\n(.*?)```", text, re.S)
    assert session
    (tmp_path / "photo.png").write_bytes(painted(("red", "box")).png())
    plan = Plan(calls=(Call(id="c1", tool="generate", input={"prompt": "a red box", "seed": 4}),))
    toolbox = HereToolbox(Generate, Ground, Vqa, Classify)
    front = Front(tmp_path / "home", toolbox, Scripted(plan), Limits.model_validate({}))
    with served(front) as address:
        ran = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", session[1]],
            cwd=tmp_path,
            env={**os.environ, "SERVER": address},
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert ran.returncode == 0, ran.stderr
    boxes, *events, reply = ran.stdout.splitlines()
    assert len(json.loads(boxes)) == 1
    assert events[0] == "event: plan"
    assert events[-1] == "event: done"
    assert reply
    shown = PIL.open(io.BytesIO((tmp_path / "picture.webp").read_bytes()))
    assert (shown.format, shown.size) == ("WEBP", (32, 32))


def service() -> Any:
    documents = list(yaml.safe_load_all((CLUSTER / "rayservice.yaml").read_text()))
    assert [each["kind"] for each in documents] == ["RayService", "NetworkPolicy"]
    return yaml.safe_load(documents[0]["spec"]["serveConfigV2"])


def test_kubernetes_runs_what_the_config_file_says() -> None:
    from ray.serve.schema import ServeDeploySchema

    written = yaml.safe_load((CLUSTER / "serve.yaml").read_text())
    assert service() == written
    schema = ServeDeploySchema.model_validate(written)
    assert [each.import_path for each in schema.applications] == ["serving.deployed:application"]


def test_the_config_file_s_arguments_make_an_application(tmp_path: Path) -> None:
    from serving.deployed import application

    arguments = service()["applications"][0]["args"]
    assert application({**arguments, "home": str(tmp_path)})
    with pytest.raises(InvalidInput, match="no port; there are: profile, home, llm"):
        application({"port": "1"})
