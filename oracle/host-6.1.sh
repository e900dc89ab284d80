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
(cd "$work/root" && find . | cpio -o -H newc --quiet | gzip -1) > "$work/initrd"
timeout "${TIMEOUT:-1800}" qemu-system-x86_64 -accel tcg -cpu max -smp 1 -m 2048 -nodefaults -no-reboot -display none -serial "file:$work/serial" \
  -kernel "$(compgen -G "$cache/boot/vmlinuz-6.1.*" | head -1)" -initrd "$work/initrd" -append "console=ttyS0 quiet panic=-1" </dev/null
tr -d '\r' < "$work/serial" | sed -n '/^===BEGIN/,/^===END/p' | sed '1d;$d'
grep -q '^===END' "$work/serial" || { echo "the machine did not come to its end:" >&2; tail -20 "$work/serial" >&2; exit 1; }
grep -q '^===END 0' "$work/serial"
