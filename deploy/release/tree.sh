#!/bin/sh
# Puts Node and the packages that the agent needs into a directory that holds package.json and
# package-lock.json, for amd64 or arm64, whatever machine this is: nothing of them is run, and each is
# held to its hash in the lock file.
#
#   sh deploy/release/tree.sh DIRECTORY [amd64|arm64]
set -eu
cd "$1"
case ${2:-$(uname -m)} in
  amd64 | x86_64) cpu=x64 ;;
  arm64 | aarch64) cpu=arm64 ;;
  *) echo "tree.sh: no Node for $2" >&2 && exit 1 ;;
esac
npm ci --omit=dev --ignore-scripts --os=linux --cpu="$cpu" --libc=glibc --no-audit --no-fund
mkdir -p bin
mv "node_modules/node-linux-$cpu/bin/node" bin/node
rm -rf node_modules/node-linux-* node_modules/.bin node_modules/.package-lock.json
