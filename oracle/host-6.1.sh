#!/usr/bin/env bash
# `who` and `ps` of a live host on Debian's 6.1 kernel, in a virtual machine without KVM:
#
#   oracle/host-6.1.sh
#
# Programs that share pages in known ways, and every process beside its smaps_rollup (oracle/host/main.ts); this Node goes with them.
# One CPU, 2 GiB, an initramfs, no disk. A boot takes some ten seconds, the questions a minute or two.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/debian-6.1.sh"
[ $# -eq 0 ] || { echo "usage: oracle/host-6.1.sh" >&2; exit 2; }

initramfs() {
  local root=$1 library tool
  mkdir -p "$root"/{bin,proc,sys,dev,tmp}
  cp /bin/busybox "$root/bin/"
  for tool in sh mount mkdir poweroff; do ln -s busybox "$root/bin/$tool"; done
  cp "$(command -v node)" "$root/bin/node"
  ldd "$root/bin/node" | grep -o '/[^ ]*' | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
  done
  cc -O1 -static -o "$root/bin/sharing" "$here/../test/host/sharing.c"
  "$here/../node_modules/.bin/esbuild" "$here/host/main.ts" --bundle --platform=node --format=esm --external:koffi \
    --log-level=warning --outfile="$root/main.mjs"
  cat > "$root/init" <<'INIT'
#!/bin/sh
export PATH=/bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
mkdir -p /dev/shm; mount -t tmpfs tmpfs /dev/shm; mount -t tmpfs tmpfs /tmp
echo "===BEGIN"
node /main.mjs /bin/sharing /tmp
echo "===END $?"
poweroff -f
INIT
  chmod +x "$root/init"
}

tools
kernel
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
initramfs "$work/root"
boot "$work" 2048 -cpu max
grep -q '^===END 0' "$work/serial"
