#!/usr/bin/env bash
# One command for everything: makes the Python environment once, then runs the pipeline (or what is asked for).
set -euo pipefail

LEAST_FREE_MB=2000
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)

usage() {
    cat <<'EOF'
usage: ./run_all.sh [COMMAND] [OPTIONS]

Without a command it runs the notebooks: it starts the servers, runs 01 to 05, shows the ledger, stops the servers.
`./run_all.sh COMMAND --help` shows what a command does and its options; each takes --env NAME|PATH and -p NAME VALUE.

commands
  run, lab, explore                   the notebooks, JupyterLab, the log explorer
  up, down, status, clean             the local servers
  setup, produce, stream, query, validate   one stage without its notebook
  redrive, replay, repair, rescue      mend the stores
  acknowledge                         answer for records that are lost
  rehydrate                           bring days of the archive back
  retention, maintain, retire, audit   days and files over the years
  cost, alerts, watch, dashboards     look after it
  params, doctor, jars                parameters, this machine, jars for spark-submit
  parse, formats                      what lines of logs become, and the formats that are known
  chaos, bench                        break it, measure it
  supply                              lock files with hashes, bill of materials, known vulnerabilities
  test                                the test suite; arguments go to pytest

examples
  ./run_all.sh
  ./run_all.sh -p num_log_events 5000 -p malformed_share 0.05 --keep-servers
  ./run_all.sh --env demo
  ./run_all.sh --secure                TLS, users and rights on every server
  ./run_all.sh test tests/unit
EOF
}

main() {
    case "${1-}" in
    -h | --help | help) usage ;;
    test)
        shift
        use_python
        cd "$here"
        exec "$python" -m pytest "$@"
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

# Sets `python` to an interpreter that has this checkout installed.
use_python() {
    local active
    active=$(active_environment)
    if [ -n "$active" ]; then
        python="$active/bin/python"
        fits "$python" || fail "The active environment $active has $(version_of "$python"), dualsink needs Python 3.11 to 3.13." \
            "Leave it (deactivate), or activate one that fits."
        if ! is_installed; then
            check_room "$active"
            install
        fi
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
        python=$base check_room "$here"
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
' "$here/pyproject.toml" "$here/requirements.lock"
}

install() {
    local place log
    place=$(prefix)
    log="$place/dualsink-install.log"
    echo "Making the environment in $place (1.8 GB, about 1-3 minutes, once)." >&2
    echo "The first run then fetches jars into the user's cache (0.9 GB); servers and Spark take 5 GB of memory." >&2
    "$python" -m pip --version >/dev/null 2>&1 || "$python" -m ensurepip >/dev/null 2>&1 || true
    if ! (cd "$here" && pip --require-hashes -r requirements.lock && pip --no-deps -e .) \
        2>&1 </dev/null | progress 3>"$log"; then
        tail -n 25 "$log" >&2
        fail "The environment could not be made." "The whole output: $log"
    fi
    pins >"$(prefix)/.dualsink-pins"
}

pip() {
    "$python" -m pip install --disable-pip-version-check --no-input "$@"
}

# Fails in one line where a folder takes no files, or too few for an environment that is not there yet.
check_room() {
    [ -w "$1" ] || fail "The environment cannot be made: $1 is read-only. Put this checkout where you may write."
    [ -w "$here" ] || fail "dualsink cannot be installed from $here: it is read-only. Put this checkout where you may write."
    local free
    free=$("$python" -I -c 'import shutil, sys; print(shutil.disk_usage(sys.argv[1]).free // 10**6)' "$1" || true)
    [ -x "$1/bin/papermill" ] || [ "${free:-$LEAST_FREE_MB}" -ge "$LEAST_FREE_MB" ] ||
        fail "The environment needs $LEAST_FREE_MB MB of free disk, $1 has $free MB. Make room, or move this checkout."
}

# Keeps all that pip says (descriptor 3) and shows what takes long: large files, the end, and how long silence lasts.
progress() {
    local line beat=()
    [ "${BASH_VERSINFO[0]}" -lt 4 ] || beat=(-t 10) # an older one cannot tell silence from the end
    while true; do
        if IFS= read -r ${beat[@]+"${beat[@]}"} line; then
            printf '%s\n' "$line" >&3
            case "$line" in
            *[0-9][0-9].[0-9]" MB)"* | *"Building wheel"*) printf '  %s\n' "${line#"${line%%[! ]*}"}" >&2 ;;
            "Installing collected"*) printf '  Unpacking and installing\n' >&2 ;;
            esac
        elif [ $? -gt 128 ]; then
            printf '  ... %s s so far\n' "$SECONDS" >&2
        else
            return 0
        fi
    done
}

prefix() {
    "$python" -c 'import sys; print(sys.prefix)'
}

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

main "$@"
