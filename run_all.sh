#!/usr/bin/env bash
# One command for everything: makes the Python environment once, then runs the pipeline (or what is asked for).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)

usage() {
    cat <<'EOF'
usage: ./run_all.sh [command] [options]

commands
  run       start the servers, run the notebooks, show the ledger (the default)
  test      run the test suite; further arguments go to pytest
  bench     measure: `bench run` against raw _bulk, the usual code and Kafka Connect; `bench explorer`, `bench freshness`,
            `bench flat`; each with --help
  lab       servers and JupyterLab on 127.0.0.1; Ctrl-C stops both
  explore   servers and the log explorer, a page on 127.0.0.1
  up, down, status, clean
            start, stop, show the local servers; delete their data
  setup, produce, stream, query, validate
            one stage without its notebook
  redrive, replay, repair, retention
            mend the stores, delete old days
  rehydrate put a range of the archive back into OpenSearch for some days, and prove it
  maintain  compact the archive, expire its snapshots; --dry-run says what and why
  cost      a table and a picture of what a year of events costs, hot and cold
  retire    delete days past archive_years that no legal hold keeps; --dry-run likewise
  audit     what the archive held at a time: `audit --at 2026-11-23T10:00`; what has gone since, and why
  alerts, watch, dashboards
            evaluate alert rules once or again and again; print saved objects for OpenSearch Dashboards
  jars      print the jars that spark-submit needs, for deploy/log_dual_sink.py

options of run
  --env NAME|PATH    environment: local (default), ci, demo, openlakes, or a params file
  -p NAME VALUE      set one parameter; repeatable
  --stages 01,03     only these stages; without it 01 to 05, the others only when named
  --run-id ID        name of the folder in runs/
  --keep-servers     leave the servers running afterwards
  --with trino       start Trino too, for SQL on the archive; also of `up` and `lab`; wants a JDK 24 or newer
`./run_all.sh COMMAND --help` shows the options of the others.

examples
  ./run_all.sh
  ./run_all.sh -p num_log_events 5000 -p malformed_share 0.05 --keep-servers
  ./run_all.sh --env demo
  ./run_all.sh --with trino
  ./run_all.sh status --json
  ./run_all.sh test tests/unit
EOF
}

main() {
    case "${1-}" in
    -h | --help | help) usage ;;
    test)
        shift
        run_module pytest "$@"
        ;;
    bench)
        shift
        run_module bench "$@"
        ;;
    "" | -*)
        use_python
        exec "$python" -P -m dualsink --project "$here" run "$@"
        ;;
    *)
        use_python
        exec "$python" -P -m dualsink --project "$here" "$@"
        ;;
    esac
}

run_module() {
    use_python
    cd "$here"
    exec "$python" -m "$@"
}

# Sets `python` to an interpreter that has this checkout installed.
use_python() {
    local active
    active=$(active_environment)
    if [ -n "$active" ]; then
        python="$active/bin/python"
        fits "$python" || fail "The active environment $active has $(version_of "$python"), dualsink needs Python 3.11 to 3.13." \
            "Leave it (deactivate), or activate one that fits."
        is_installed || install
    else
        use_own_environment
    fi
}

active_environment() {
    if [ -n "${VIRTUAL_ENV-}" ]; then
        printf '%s' "$VIRTUAL_ENV"
    elif [ -n "${CONDA_PREFIX-}" ] && [ "${CONDA_DEFAULT_ENV-}" != base ]; then
        printf '%s' "$CONDA_PREFIX"
    fi
}

use_own_environment() {
    local own="$here/.venv"
    python="$own/bin/python"
    # This file stands while the environment is being made: what was killed half way is made again.
    if [ -e "$own/.unfinished" ] || { [ -e "$own" ] && ! fits "$python"; }; then
        rm -rf "$own"
    fi
    if [ ! -e "$own" ]; then
        local base
        base=$(find_python)
        mkdir "$own"
        : >"$own/.unfinished"
        "$base" -m venv "$own"
    fi
    if [ ! -e "$own/.unfinished" ] && is_installed; then
        return
    fi
    install
    rm -f "$own/.unfinished"
}

# The first Python on PATH that fits. Each name is tried wherever it stands: pyenv's shims may answer to none.
find_python() {
    local name candidate seen=""
    for name in python3.13 python3.12 python3.11 python3 python; do
        while IFS= read -r candidate; do
            [ -n "$candidate" ] || continue
            if fits "$candidate" && has_venv "$candidate"; then
                printf '%s' "$candidate"
                return
            fi
            seen="$seen
  $candidate: $(version_of "$candidate")$(has_venv "$candidate" || printf ' (without venv and pip)')"
        done < <(type -aP "$name" || true)
    done
    fail "No Python 3.11, 3.12 or 3.13 (with venv and pip) on PATH.${seen:+ Found only:$seen}" \
        "Install one, for example: conda env create -f environment.yml && conda activate dualsink; uv python install 3.13;
apt install python3 python3-venv; brew install python@3.13"
}

fits() {
    "$1" -I -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1
}

has_venv() {
    "$1" -I -c 'import venv, ensurepip' >/dev/null 2>&1
}

version_of() {
    "$1" --version 2>/dev/null || printf 'does not answer'
}

# Installed means: this checkout, and with these pins where this script installed it.
is_installed() {
    (cd / && "$python" -I - "$here" "$(pins)") <<'EOF' >/dev/null 2>&1
import sys
from pathlib import Path

import dualsink

here, pins = sys.argv[1:]
stamp = Path(sys.prefix, ".dualsink-pins")
known = stamp.read_text().split() if stamp.is_file() else None
fresh = known is None or pins in known
sys.exit(not (Path(dualsink.__file__).resolve().is_relative_to(here) and fresh))
EOF
}

pins() {
    "$python" -I -c '
import hashlib, sys
print(hashlib.sha256(b"".join(open(name, "rb").read() for name in sys.argv[1:])).hexdigest()[:16])
' "$here/pyproject.toml" "$here/constraints.txt"
}

install() {
    local log
    log="$(prefix)/dualsink-install.log"
    echo "Making the environment (about 1-3 minutes, once)..." >&2
    "$python" -m pip --version >/dev/null 2>&1 || "$python" -m ensurepip >/dev/null 2>&1 || true
    if ! (cd "$here" && "$python" -m pip install --disable-pip-version-check --no-input -c constraints.txt -e '.[test]') \
        >"$log" 2>&1 </dev/null; then
        tail -n 25 "$log" >&2
        fail "The environment could not be made." "The whole output: $log"
    fi
    pins >"$(prefix)/.dualsink-pins"
}

prefix() {
    "$python" -c 'import sys; print(sys.prefix)'
}

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

main "$@"
