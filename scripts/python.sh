#!/usr/bin/env bash
# The Python package: python.sh test (builds its wheel as quickly as possible, and runs its tests in a virtual environment), or
# python.sh wheel (builds the wheel of a release in target/wheels). Both need Python 3.10 or newer, and npm for the widgets.
set -euo pipefail
cd "$(dirname "$0")/.."
action=${1:?test or wheel}
target=${CARGO_TARGET_DIR:-$PWD/target}
package=crates/kiln-python
tools=target/python/tools
venv=target/python/venv

python3 -c 'import venv, ensurepip' 2>/dev/null || scripts/install.sh python3 python3-venv
if ! "$tools/bin/maturin" --version >/dev/null 2>&1; then
  python3 -m venv --clear "$tools"
  "$tools/bin/pip" install --quiet 'maturin>=1.9,<2'
fi
scripts/page.sh notebook
cp LICENSE LICENSE-APACHE "$package"

# The interpreter is named, so that cargo rebuilds nothing if another one comes first in PATH.
python=$(realpath "$tools/bin/python")
build() {
  PYO3_PYTHON=$python "$tools/bin/maturin" build --quiet --locked --manifest-path "$package/Cargo.toml" --target-dir "$target" \
    --interpreter "$python" "$@"
}
if [ "$action" = wheel ]; then
  build --release --out "$target/wheels"
  ls -l "$target/wheels"
  exit
fi

rm -rf "$target/python/wheels"
build --profile dev --compatibility linux --out "$target/python/wheels"
# A new environment whenever the packages for the tests change.
if ! cmp -s "$package/tests/requirements.txt" "$venv/requirements.txt"; then
  python3 -m venv --clear "$venv"
  "$venv/bin/pip" install --quiet --requirement "$package/tests/requirements.txt"
  cp "$package/tests/requirements.txt" "$venv/requirements.txt"
fi
"$venv/bin/pip" install --quiet --force-reinstall --no-deps "$target"/python/wheels/*.whl
"$venv/bin/pip" check
"$venv/bin/python" -m pytest --quiet "$package" "${@:2}"
