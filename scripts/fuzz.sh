#!/usr/bin/env bash
# Runs the fuzz targets that are named, or all: fuzz.sh [TARGET...]. SECONDS_EACH is how long each runs (10), two at a time.
#
# The targets are those of cargo-fuzz, built by plain cargo with its instrumentation. AddressSanitizer is left out: it needs
# a nightly compiler, and what is sought here is panics, overflows and hangs of safe code.
# `cargo +nightly fuzz run TARGET` has it. A finding is left in target/fuzz/artifacts/TARGET.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${SECONDS_EACH:-10}
host=$(rustc -vV | sed -n 's/^host: //p')
folder=$PWD/target/fuzz
targets=("$@")
if [ $# = 0 ]; then
  for file in fuzz/fuzz_targets/*.rs; do targets+=("$(basename "$file" .rs)"); done
fi

# With --target, the flags do not reach build scripts and procedural macros.
RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares" \
  cargo build --manifest-path fuzz/Cargo.toml --target-dir "$folder" --target "$host" --release --quiet

# A temporary file per input belongs into memory.
[ -d /dev/shm ] && export TMPDIR=/dev/shm
run() {
  local name=$1 corpus=$folder/corpus/$1 artifacts=$folder/artifacts/$1 seeds=fuzz/seeds/$1
  mkdir -p "$corpus" "$artifacts"
  if ! "$folder/$host/release/$name" "$corpus" "$seeds" -artifact_prefix="$artifacts/" -max_total_time="$seconds" \
    -timeout=10 -rss_limit_mb=2048 -max_len=16384 -print_final_stats=1 > "$folder/$name.log" 2>&1; then
    tail -40 "$folder/$name.log"
    echo "fuzz: $name failed; the input is in target/fuzz/artifacts/$name"
    return 1
  fi
  echo "fuzz: $name, $(sed -n 's/^stat::number_of_executed_units: *//p' "$folder/$name.log") inputs"
}
export -f run
export folder host seconds
printf '%s\n' "${targets[@]}" | xargs -P "${JOBS:-2}" -I{} bash -c 'run {}'
