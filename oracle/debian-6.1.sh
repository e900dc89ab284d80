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
