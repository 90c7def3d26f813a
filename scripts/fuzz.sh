#!/usr/bin/env bash
# Runs the given fuzz targets, or all: fuzz.sh [TARGET...]. SECONDS_EACH is the duration of each (default 10). Two run in parallel.
# With SEED, the mutations are the same in each run, so that CI fails for a change and not by chance; without it, they differ.
#
# The targets are those of cargo-fuzz, built by plain cargo with the same instrumentation but without AddressSanitizer, which needs
# a nightly compiler: the targets look for panics, overflows and hangs in safe code. `cargo +nightly fuzz run TARGET` adds it.
# Findings are written to target/fuzz/artifacts/TARGET.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${SECONDS_EACH:-10} seed=${SEED:-0} # 0: a random one
host=$(rustc -vV | sed -n 's/^host: //p')
folder=$PWD/target/fuzz
targets=("$@")
if [ $# = 0 ]; then
  for file in fuzz/fuzz_targets/*.rs; do targets+=("$(basename "$file" .rs)"); done
fi

# With --target, the flags do not apply to build scripts and procedural macros.
RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares" \
  cargo build --manifest-path fuzz/Cargo.toml --target-dir "$folder" --target "$host" --release --quiet

# The temporary file of each input is kept in memory.
[ -d /dev/shm ] && export TMPDIR=/dev/shm
run() {
  local name=$1 corpus=$folder/corpus/$1 artifacts=$folder/artifacts/$1 seeds=fuzz/seeds/$1
  mkdir -p "$corpus" "$artifacts"
  if ! "$folder/$host/release/$name" "$corpus" "$seeds" -artifact_prefix="$artifacts/" -max_total_time="$seconds" \
    -timeout=10 -seed="$seed" -rss_limit_mb=2048 -max_len=16384 -print_final_stats=1 > "$folder/$name.log" 2>&1; then
    tail -40 "$folder/$name.log"
    echo "fuzz: $name failed; the input is in target/fuzz/artifacts/$name"
    return 1
  fi
  echo "fuzz: $name, $(sed -n 's/^stat::number_of_executed_units: *//p' "$folder/$name.log") inputs"
}
export -f run
export folder host seconds seed
printf '%s\n' "${targets[@]}" | xargs -P "${JOBS:-2}" -I{} bash -c 'run {}'
