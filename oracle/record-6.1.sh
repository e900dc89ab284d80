#!/usr/bin/env bash
# Records memory programs on Debian's 6.1 kernel, in a virtual machine without KVM:
#
#   oracle/record-6.1.sh [-o FOLDER] PROGRAM.mmp...
#
# writes NAME.6.1.rec beside each program, or into FOLDER. Needs Debian 12 or a system with its packages within reach; what is missing is
# installed with apt-get (root) or named. The machine: one CPU, 2 GiB, an ext4 file system on a virtio disk, an initramfs with
# busybox and the runner (oracle/runner), the same program that records on a live kernel. A boot takes some ten seconds.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/debian-6.1.sh"
folder=
while getopts o: option; do
  case $option in
    o) folder=$OPTARG ;;
    *) exit 2 ;;
  esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || { echo "usage: oracle/record-6.1.sh [-o FOLDER] PROGRAM.mmp..." >&2; exit 2; }

modules=(drivers/virtio/virtio_ring drivers/virtio/virtio drivers/virtio/virtio_pci_legacy_dev drivers/virtio/virtio_pci_modern_dev
  drivers/virtio/virtio_pci drivers/block/virtio_blk crypto/crc32c_generic lib/crc16 fs/mbcache fs/jbd2/jbd2 fs/ext4/ext4)

initramfs() {
  local root=$1
  shift
  mkdir -p "$root"/{bin,proc,sys,dev,disk,mod,out,programs}
  cp /bin/busybox "$root/bin/"
  local tool
  for tool in sh mount mkdir insmod echo tar poweroff dd cat; do ln -s busybox "$root/bin/$tool"; done
  cc -O1 -static -no-pie -fno-stack-protector -o "$root/bin/runner" "$here"/runner/*.c
  local module
  for module in "${modules[@]}"; do cp "$cache"/lib/modules/*/kernel/"$module".ko "$root/mod/"; done
  cp "$@" "$root/programs/"
  cat > "$root/init" <<'INIT'
#!/bin/sh
export PATH=/bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
mkdir -p /dev/shm; mount -t tmpfs tmpfs /dev/shm
for m in virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk crc32c_generic crc16 mbcache jbd2 ext4; do
  insmod /mod/$m.ko || echo "insmod $m failed"
done
mount -t ext4 /dev/vda /disk || echo "mount failed"
# A machine that has lived has active and inactive file pages; without any, no page that comes back would be activated.
dd if=/dev/zero of=/disk/warm bs=4k count=2048 2>/dev/null
cat /disk/warm /disk/warm >/dev/null
dd if=/dev/zero of=/disk/cold bs=4k count=2048 2>/dev/null
echo "===BEGIN"
runner -o /out -d /disk /programs/*.mmp
echo "===END $?"
tar cf /dev/vdb -C /out .
poweroff -f
INIT
  chmod +x "$root/init"
}

tools
kernel
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
initramfs "$work/root" "$@"
truncate -s 1G "$work/disk" && mke2fs -q -t ext4 -b 4096 "$work/disk"
truncate -s 256M "$work/out"
boot "$work" 2048 \
  -drive "file=$work/disk,if=virtio,format=raw,cache=unsafe" -drive "file=$work/out,if=virtio,format=raw,cache=unsafe"
mkdir -p "$work/rec" && tar xf "$work/out" -C "$work/rec"
for program in "$@"; do
  name=$(basename "$program" .mmp)
  [ -f "$work/rec/$name.rec" ] && cp "$work/rec/$name.rec" "${folder:-$(dirname "$program")}/$name.6.1.rec"
done
grep -q '^===END 0' "$work/serial"
