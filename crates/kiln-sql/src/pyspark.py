#!/usr/bin/env python3
"""Bins of @TABLE@ for Kiln at zoom @ZOOM@, level @LEVEL@.

Started by spark-submit, or by python3 with --remote sc://HOST:15002. Each run writes one new folder,
TO/[PARTITION/]run=ID, with Parquet files, totals.json and at last _SUCCESS. `kiln import` takes complete folders only.
"""
import argparse, json, posixpath, re, sys, time, uuid
from pyspark.sql import SparkSession

BINS = @BINS@
TOTAL = @TOTAL@
options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
options.add_argument("--to", @TO@, help="folder of all partitions: s3a://…, gs://…, hdfs://… or a path")
options.add_argument("--partition", default="", help="folder of this run's partition, {partition} in the condition: 2026-11-28")
options.add_argument("--run", default=time.strftime("%Y%m%dT%H%M%SZ-", time.gmtime()) + uuid.uuid4().hex[:8], help="id of the run")
options.add_argument("--remote", help="a Spark Connect server: sc://HOST:15002")
options = options.parse_args()
for name in options.partition or "all", options.run:
    if not re.fullmatch(r"[\w=-][\w=.-]*", name, re.ASCII):
        sys.exit(f"invalid: {name!r}; expected letters, digits, and _ = . - without a dot at the start")
folder = posixpath.join(options.to, options.partition, f"run={options.run}")
builder = SparkSession.builder.remote(options.remote) if options.remote else SparkSession.builder.appName("kiln bins")
spark = builder.getOrCreate()
spark.conf.set("spark.sql.session.timeZone", "UTC")
spark.conf.set("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")


def put(name, text):
    """Writes a small file to the folder."""
    # A client of Spark Connect has no JVM.
    if ".connect." in type(spark).__module__:
        from pyarrow import fs
        files, path = fs.FileSystem.from_uri(re.sub("^s3[an]:", "s3:", folder) if "://" in folder else posixpath.abspath(folder))
        with files.open_output_stream(f"{path}/{name}") as stream:
            stream.write(text.encode())
    else:
        path = spark._jvm.org.apache.hadoop.fs.Path(f"{folder}/{name}")
        stream = path.getFileSystem(spark._jsc.hadoopConfiguration()).create(path, False)
        stream.write(text.encode())
        stream.close()


expected = spark.sql(TOTAL.replace("{partition}", options.partition)).first()[0]
if not expected:
    sys.exit(f"no points for {folder}: nothing was written")
# The marker of success comes last, after the check of what was written.
bins = spark.sql(BINS.replace("{partition}", options.partition))
bins.write.option("mapreduce.fileoutputcommitter.marksuccessfuljobs", "false").parquet(folder)
written = spark.read.parquet(folder)
n, rows = written.selectExpr("SUM(n)", "COUNT(*)").first()
if n != expected:
    sys.exit(f"{folder}: the bins have {n} points and the table {expected}; the table has changed, or files are lost: run it again")
put("totals.json", json.dumps({"level": @LEVEL@, "n": n, "rows": rows, "files": len(written.inputFiles())}))
put("_SUCCESS", "")
print(folder)
