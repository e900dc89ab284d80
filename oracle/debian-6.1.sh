# Debian's 6.1 kernel and what it takes to boot it without KVM; sourced by the scripts beside it.
cache=${XDG_CACHE_HOME:-$HOME/.cache}/revmap/debian-6.1

# What is missing is installed (root) or named.
tools() {
  local missing=()
  command -v qemu-system-x86_64 >/dev/null || missing+=(qemu-system-x86)
  [ -x /bin/busybox ] && ! ldd /bin/busybox >/dev/null 2>&1 || missing+=(busybox-static)
  command -v cpio >/dev/null || missing+=(cpio)
  command -v mke2fs >/dev/null || missing+=(e2fsprogs)
  [ ${#missing[@]} -eq 0 ] && return
  echo "installing ${missing[*]}" >&2
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
}

# The kernel and its modules, unpacked from Debian's package; nothing of it is installed.
kernel() {
  compgen -G "$cache/boot/vmlinuz-6.1.*" >/dev/null && return
  local package
  package=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-6\.1\.[^ ]*\).*/\1/p' | head -1)
  [ -n "$package" ] || { echo "no package of Debian's 6.1 kernel within reach (linux-image-amd64 of Debian 12)" >&2; exit 1; }
  echo "downloading $package" >&2
  mkdir -p "$cache"
  (cd "$cache" && apt-get download -qq "$package" >&2 && dpkg -x "$package"_*.deb . && rm -f ./*.deb)
}

# boot WORK MIB [-drive …]: WORK/root is the initramfs, and its init says ===BEGIN and ===END STATUS around what is shown.
boot() {
  local work=$1 mib=$2
  shift 2
  (cd "$work/root" && find . | cpio -o -H newc --quiet | gzip -1) > "$work/initrd"
  timeout "${TIMEOUT:-3600}" qemu-system-x86_64 -accel tcg -smp 1 -m "$mib" -nodefaults -no-reboot -display none -serial "file:$work/serial" \
    -kernel "$(compgen -G "$cache/boot/vmlinuz-6.1.*" | head -1)" -initrd "$work/initrd" -append "console=ttyS0 quiet panic=-1" "$@" </dev/null
  tr -d '\r' < "$work/serial" | sed -n '/^===BEGIN/,/^===END/p' | sed '1d;$d;s|/programs/||'
  grep -q '^===END' "$work/serial" || { echo "the machine did not come to its end:" >&2; tail -20 "$work/serial" >&2; exit 1; }
}
