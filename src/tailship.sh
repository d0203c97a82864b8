#!/bin/sh
# The `tailship` of the npm package: becomes the Node that the package brings, whatever Node is on the
# PATH, and that of the PATH only on a machine without one, where node-version.js judges it.
here=$(dirname "$(readlink -f "$0")")
case $(uname -m) in
  x86_64) machine=x64 ;;
  aarch64) machine=arm64 ;;
  *) machine=none ;;
esac
# Where Node itself would look for a package: npm puts it beside tailship or below it.
directory=$here
while [ "$directory" != / ]; do
  node=$directory/node_modules/node-linux-$machine/bin/node
  if [ -x "$node" ]; then exec "$node" "$here/main.js" "$@"; fi
  directory=$(dirname "$directory")
done
exec node "$here/tailship.js" "$@"
