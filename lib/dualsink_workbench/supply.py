"""Supply chain: lock files with hashes, bill of materials, audit.

Each tool is installed for its one use, into a folder that goes again: nobody who runs the pipeline needs it.
"""

import json
import subprocess
import sys
import venv
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dualsink.errors import PlatformError
from dualsink.files import write_atomically
from dualsink.operations.plan import Say
from dualsink.settings import Settings, project_root
from dualsink.spark import jars

LOCK, IMAGE_LOCK = "requirements.lock", "deploy/requirements.lock"
"""Everything, and what the container image needs of it: all but the tests' packages."""
_UV, _CYCLONEDX, _PIP_AUDIT = "uv==0.13.8", "cyclonedx-bom==7.5.0", "pip-audit==2.10.1"
_OLDEST_PYTHON = "3.11.5"
"""What a package asks for that the pins pull in; pyproject.toml speaks of 3.11 alone."""
_MAVEN = "{http://ant.apache.org/ivy/maven}"


def lock(settings: Settings, say: Say) -> None:
    """Write the lock files of packages and jars.

    Versions are those of pyproject.toml, constraints.txt and ivy.xml; packages are locked for every platform and every
    Python that is supported. Raises PlatformError if a registry does not answer.
    """
    where = ("--universal", "--python-version", _OLDEST_PYTHON, "--constraint", "constraints.txt")
    how = ("--generate-hashes", "--no-annotate", "--quiet", "--custom-compile-command", "./run_all.sh supply lock")
    for file, extra in {LOCK: ("--extra", "test"), IMAGE_LOCK: ()}.items():
        _use(_UV, "uv", "pip", "compile", "pyproject.toml", *extra, *where, *how, "--output-file", file)
        say(f"Wrote {file}.")
    sums = dict(sorted(_jar_sums(say)))
    write_atomically(jars.SUMS_FILE, "".join(f"{digest}  {name}\n" for name, digest in sums.items()).encode())
    say(f"Wrote {jars.SUMS_FILE.name}: {len(sums)} files.")


def _jar_sums(say: Say) -> Iterator[tuple[str, str]]:
    configurations = ET.parse(jars.LOCK_FILE).getroot().find("configurations")
    for conf in configurations:
        with TemporaryDirectory() as work:
            yield from jars.download(conf.get("name"), Path(work), say).items()


def sbom(settings: Settings, say: Say, output: Path) -> None:
    """Write a bill of materials of environment and jars.

    Its form is CycloneDX in JSON. Raises PlatformError if the tool cannot be installed.
    """
    _use(_CYCLONEDX, "cyclonedx-py", "environment", "--pyproject", "pyproject.toml", "-o", str(output), sys.executable)
    bill = json.loads(output.read_text(encoding="utf-8"))
    bill["components"] += list(jar_components())
    write_atomically(output, json.dumps(bill, indent=2).encode())
    say(f"Wrote {output}: {len(bill['components'])} components.")


def jar_components() -> Iterator[dict[str, Any]]:
    """Yield every jar once as a component of CycloneDX."""
    sums, seen = jars.known_sums(), set()
    for dependency in ET.parse(jars.LOCK_FILE).getroot().iter("dependency"):
        group, name, version = (dependency.get(key) for key in ("org", "name", "rev"))
        artifact = dependency.find("artifact")
        ending, classifier = (
            ("jar", None) if artifact is None else (artifact.get("ext"), artifact.get(f"{_MAVEN}classifier"))
        )
        file = f"{name}-{version}{f'-{classifier}' if classifier else ''}.{ending}"
        if file in seen:
            continue
        seen.add(file)
        purl = f"pkg:maven/{group}/{name}@{version}"
        about = {"type": "library", "group": group, "name": name, "version": version, "purl": purl, "bom-ref": file}
        yield about | {"hashes": [{"alg": "SHA-256", "content": sums[file]}]}


def audit(settings: Settings, say: Say) -> int:
    """Look up known vulnerabilities of the locked packages.

    Returns the tool's exit status: 1 if there are some, or if one could not be looked up. It prints them itself.
    """
    options = ("--disable-pip", "--require-hashes", "--strict")
    return _use(_PIP_AUDIT, "pip-audit", "--requirement", LOCK, *options, check=False)


def _use(pin: str, program: str, *arguments: str, check: bool = True) -> int:
    """Run a tool that is installed for this once."""
    with TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        _run([f"{folder}/bin/python", "-m", "pip", "install", "--quiet", pin])
        return _run([f"{folder}/bin/{program}", *arguments], check)


def _run(command: list[str], check: bool = True) -> int:
    done = subprocess.run(command, cwd=project_root(), check=False)
    if done.returncode and check:
        raise PlatformError(f"{Path(command[0]).name} {command[1]} failed; what it said stands above.")
    return done.returncode
