#!/usr/bin/env bash
# Records and measures the programs of oracle/truth anew:
#
#   oracle/measure.sh record|measure FOLDER [PROGRAM...] [-- OPTIONS]
#
# record writes FOLDER/NAME.rvm.gz, measure FOLDER/NAME.truth.tsv; OPTIONS are handed on to `revmap record` or `revmap measure`.
# The programs and their inputs are made in /tmp/revmap-programs (oracle/programs/make.sh). Both see the same small environment.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
what=$1 out=$(realpath "$2")
shift 2

declare -A command=(
  [zipf]="./zipf zipf"
  [phase]="./workloads phase"
  [seq]="./workloads seq"
  [forkcow]="./workloads forkcow"
  [filescan]="./workloads filescan big"
  [mmapfile]="./workloads mmapfile big"
  [sqlite]="/usr/bin/sqlite3 :memory: '.read sqlite.sql'"
  [python]="/usr/bin/python3 words.py"
  [sort]="/usr/bin/sort -S 6M --parallel=1 -o sorted text"
  [jq]="/usr/bin/jq -c 'sort_by(.at.x)|map(.id)' data.json"
)
names=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do names+=("$1"); shift; done
[ $# -gt 0 ] && shift
[ ${#names[@]} -gt 0 ] || names=(zipf phase seq forkcow filescan mmapfile sqlite python sort jq)

cd "$("$here/programs/make.sh")"
for name in "${names[@]}"; do
  eval "words=(${command[$name]})"
  case $what in
    record) file=$out/$name.rvm.gz ;;
    measure) file=$out/$name.truth.tsv ;;
  esac
  echo "$what $name" >&2
  env -i PATH=/usr/bin:/bin HOME=/root LC_ALL=C.UTF-8 PYTHONHASHSEED=0 PERL_HASH_SEED=0 \
    "$here/../bin/revmap" "$what" --name "$name" -o "$file" "$@" -- "${words[@]}"
done
