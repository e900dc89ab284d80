#!/usr/bin/env bash
# Makes the folder in which the programs of oracle/truth were recorded and measured: oracle/programs/make.sh [FOLDER]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=${1:-/tmp/revmap-programs}
mkdir -p "$folder"
gcc -O1 -static -o "$folder/zipf" "$here/zipf.c"
gcc -O1 -static -o "$folder/workloads" "$here/workloads.c"
cp "$here"/{words.py,sqlite.sql} "$folder"
cd "$folder"
# Perl brings its own random numbers: the same everywhere.
perl -e 'srand(7); for (1..150000) { my $n = 1 + int(rand(8)); print join(" ", map { sprintf "%x", int(rand(1)**3*60000) } 1..$n), "\n" }' > text
perl -e 'srand(9); print "["; for (1..9000) { print "," if $_ > 1; printf q({"id":%d,"name":"n%x","tags":["%x","%x"],"at":{"x":%.3f,"y":%.3f}}), $_, rand 1e9, rand 1e6, rand 1e6, rand 99, rand 99 } print "]\n"' > data.json
perl -e 'srand(8); print pack("N*", map { int rand 4294967296 } 1..1048576) for 1..6' > big
echo "$folder"
