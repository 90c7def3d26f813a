#!/usr/bin/env bash
# The map page: page.sh build (builds web/dist by npm; without npm the binary contains the plain page), page.sh tools (installs
# missing tools of its tests), or page.sh test (runs its tests in Chromium with the binary $KILN). page.sh notebook builds the
# widgets of the Python package.
set -euo pipefail
cd "$(dirname "$0")/.."
action=${1:?build, tools, test or notebook}
node_folder=$PWD/target/node

# Whether Node.js is installed in a version that Vite supports: 20.19 or newer.
has_node() {
  command -v node >/dev/null && command -v npm >/dev/null && node -e '
    const [major, minor] = process.versions.node.split(".").map(Number);
    process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)'
}

export PATH="$node_folder/node_modules/node/bin:$PATH"
if [ "$action" = tools ]; then
  command -v npm >/dev/null || scripts/install.sh npm
  # The Debian package may be older.
  has_node || npm install --silent --no-fund --no-audit --prefix "$node_folder" node@22
  command -v chromium >/dev/null || scripts/install.sh chromium
  exit 0
fi
if ! has_node; then
  if [ "$action" != build ]; then
    echo "The map page's tests and the widgets need npm with Node.js 20.19 or newer: scripts/page.sh tools" >&2
    exit 1
  fi
  echo "npm with Node.js 20.19 or newer is missing: the binary will contain the plain page. Install both for the full page." >&2
  exit 0
fi

cd web
# Installs the packages again only if the lock file has changed.
if ! cmp -s package-lock.json node_modules/.kiln-lock; then
  npm ci --no-fund --no-audit --loglevel=error
  cp package-lock.json node_modules/.kiln-lock
fi
if [ "$action" = notebook ]; then
  npm run --silent notebook
  exit
fi
newer=$(find page mask kiln-*/src kiln-*/package.json kiln-*/README.md vite.config.ts packages.js package-lock.json -newer dist/index.html -print -quit 2>/dev/null || echo all)
if [ ! -e dist/index.html ] || [ -n "$newer" ]; then
  npm run --silent build
fi
if [ "$action" = test ]; then
  npm run --silent check
  npm run --silent package
  npm run --silent notebook
  npm run --silent test
fi
