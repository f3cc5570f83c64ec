#!/bin/sh
# The root of an image in FOLDER: PROGRAM, the libraries that it is linked with, and what they read.
#
#   root.sh PROGRAM FOLDER
set -eu
program=$1 root=$2
mkdir -p "$root/usr/local/bin" "$root/etc/ssl/certs" "$root/etc/sidecache" "$root/tmp" "$root/data"

# Function names stay, for what a panic says; where in which file it was, a build of one's own can tell.
strip --strip-debug -o "$root/usr/local/bin/sidecache" "$program"
# Its paths are the first words that begin with a slash, the loader's among them.
ldd "$program" | grep -o '/[^ ]*' | while read -r library; do
  mkdir -p "$root$(dirname "$library")"
  cp -L "$library" "$root$library"
done

# For a Redis behind TLS whose certificate a public authority has signed.
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
# Without it names are asked of the network first, and /etc/hosts after that.
echo 'hosts: files dns' > "$root/etc/nsswitch.conf"
echo 'sidecache:x:65532:65532::/data:/none' > "$root/etc/passwd"
echo 'sidecache:x:65532:' > "$root/etc/group"
chmod 1777 "$root/tmp"
chown 65532:65532 "$root/data"
