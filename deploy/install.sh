#!/bin/sh
# install.sh TARGET: the studio in a new virtual environment, from the files in locks/, each package held to its hash.
# Neither pip nor a build tool comes into it. The Dockerfile runs this, and so does who installs by docs/guides/systemd.md.
set -eu

[ $# = 1 ] || { echo "Say where to: install.sh /opt/mutoscope-VERSION" >&2; exit 2; }
[ ! -e "$1" ] || { echo "$1 is there already. Name a new folder: a studio may be running from that one." >&2; exit 1; }
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

pip() {
    "$work/tools/bin/python" -m pip --disable-pip-version-check --no-cache-dir "$@"
}

"$python" -m venv "$work/tools"
pip install --quiet --require-hashes -r locks/build.txt
# The locked files are complete, so nothing is resolved; what comes as source is built with the tools above.
pip wheel --quiet --require-hashes --no-deps --no-build-isolation --wheel-dir "$work/wheels" -r locks/runtime.txt
pip wheel --quiet --no-index --no-deps --no-build-isolation --wheel-dir "$work/wheels" .

# From here on there is something at the target: half of it would only stand in the way of the next try.
trap 'rm -rf "$work" "$1"' EXIT
"$python" -m venv --without-pip "$1"
pip --python "$1/bin/python" install --quiet --no-index --no-deps "$work"/wheels/*.whl
"$1/bin/mutoscope" --version
trap 'rm -rf "$work"' EXIT
