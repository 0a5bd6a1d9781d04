#!/bin/sh
# How many instructions one log call takes, by callgrind: of the caller, and of the writer, each with its dearest functions.
# Counts are exact and the same on every run (of one build, one C library), where times are not.
#
#     tests/bench/instructions.sh [BUILD]      default: build/release
set -eu
bench=${1:-build/release}/tests/bench/bench_log
calls=100000
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

valgrind --tool=callgrind --separate-threads=yes --callgrind-out-file="$work/counts" \
    "$bench" --call "$work" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }

# The main thread is the first, the writer the second.
for thread in 01:caller 02:writer; do
    callgrind_annotate --auto=no --threshold=97 "$work/counts-${thread%:*}" >"$work/annotated"
    awk -v name="${thread#*:}" -v calls="$calls" '
        /PROGRAM TOTALS/ { gsub(/,/, "", $1); printf "%s: %.0f instructions a call\n", name, $1 / calls }
        / file:function/ { listed = 1; next }
        listed && NF && !/^-/ {
            gsub(/,/, "", $1)
            function_name = $0
            sub(/^[^:]*:/, "", function_name)
            sub(/ \[.*/, "", function_name)
            sum[function_name] += $1
        }
        END { for (f in sum) if (sum[f] >= 5 * calls) printf "  %5.0f  %s\n", sum[f] / calls, f }
    ' "$work/annotated" | sort -s -k1,1nr | sed -n '1,15p'
done
