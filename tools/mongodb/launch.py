"""Serves MongoDB's wire protocol for the tests, with SecantusDB.

    launch.py [--data FOLDER] [--port PORT] [--anonymous]
    launch.py --many

Prints "listening on HOST:PORT" on standard output once it does. Without --data it serves a
folder of its own, in memory where there is room, and removes it at its end. It ends with
SIGTERM, and when its standard input closes: so it does not outlive the test that started
it, however that one ends.

With --many it starts any number of servers. Each line of standard input is a JSON array: a
name, and the flags of one server. The responses are the lines "NAME is PID", "NAME listening
on HOST:PORT" and "NAME ended". A server takes 0.05 seconds of CPU time then, and a second
otherwise: SecantusDB's storage measures the clock of the machine in each new process.

The first administrator, "root" with password "root", is made before the server starts:
SecantusDB knows no localhost exception, so nobody could make one later. --anonymous asks
for no user at all.

Every write is synced to the disk before its response is sent. SecantusDB does not do so by
itself, and a killed server then loses writes that it acknowledged, also with w: majority,
which MongoDB never does.

Three faults of SecantusDB 0.7.0b3 are corrected here, since tests would pass or fail
wrongly with them:

1. A driver sends a write again when its response was lost, and the server must recognize it.
   SecantusDB compares the whole command, maxTimeMS included, which is the time that is left
   and differs each time. So it would apply the write twice. maxTimeMS is left out of the
   comparison here.
2. The command "bulkWrite" is open to every user, whatever the roles. It asks for a right
   here that only an administrator has: the store does not use it, and is refused if it
   ever does by mistake.
3. Listing the collections gives one without an identifier an identifier, and so brings back
   one that was dropped since the list was begun. Only collections that exist get one here.

Three more corrections are for speed. SecantusDB looks twice at each write it remembers, of
up to 10,000, when another one comes, so that it gets slower with every test; it looks at the
oldest here. It reads the settings of its profiler from the storage for each command, under
the lock that all share; here the profiler is off, and no test switches it on. And it reads
the list of a collection's indexes from the storage several times in each command; here once,
and once more when the command begins to write.

Documents that have expired are never removed. The search for them holds the lock for a walk
through all databases, and the tests keep hundreds; the store does not rely on the removal.
"""

import argparse
import ctypes
import json
import logging
import os
import shutil
import signal
import sys
import tempfile
import threading
import uuid

import secantus.commands as commands
import secantus.server as wire
import secantus.transactions as transactions
import wiredtiger
from secantus.auth import derive_credentials
from secantus.server import SecantusDBServer
from secantus.storage import Storage

ADMIN, PASSWORD = "root", "root"

# Drivers refuse less (RFC 7677). Each connection of a test derives its key anew, which takes as
# long as these; the race detector makes it many times longer.
LEAST_ITERATIONS = 4096

# The commands that leave the indexes of a collection as they are.
KEEP_INDEXES = {"find", "aggregate", "insert", "update", "delete", "findAndModify"}


def forget_oldest_writes(registry: transactions.TransactionRegistry) -> None:
    """Forgets writes that are too old, or too many; they are in the order of their time."""
    writes = registry._retryable
    limit = registry._time() - transactions._RETRYABLE_RECORD_LIFETIME_SECONDS
    while writes:
        oldest, (_, time, _) = next(iter(writes.items()))
        if time >= limit and len(writes) <= transactions._RETRYABLE_RECORD_MAX:
            return
        del writes[oldest]


def identifier_if_exists(storage: Storage, db: str, collection: str) -> uuid.UUID:
    """Gives the identifier of a collection; a passing one if the collection is gone."""
    with storage._lock:  # dropping takes it too
        storage._refresh_read_snapshot()
        if storage._coll_options(db, collection) is None:
            return uuid.uuid4()
        return storage._collection_uuid(db, collection)


def read_indexes_once() -> None:
    """Keeps the list of a collection's indexes while a command runs that does not change it."""
    dispatch, read, begin = wire.dispatch, Storage._iter_indexes, Storage._batch_transaction
    kept = threading.local()

    def run(command: dict, context: commands.CommandContext) -> dict:
        kept.lists = {} if next(iter(command), None) in KEEP_INDEXES else None
        try:
            return dispatch(command, context)
        finally:
            kept.lists = None

    def indexes(storage: Storage, db: str, collection: str) -> list:
        lists = getattr(kept, "lists", None)
        if lists is None:
            return list(read(storage, db, collection))
        if (db, collection) not in lists:
            lists[db, collection] = list(read(storage, db, collection))
        return lists[db, collection]

    def transaction(storage: Storage, *arguments: object, **named: object) -> object:
        # The caller has just locked the collection: an index may have come since the last look.
        if getattr(kept, "lists", None):
            kept.lists.clear()
        return begin(storage, *arguments, **named)

    wire.dispatch, Storage._iter_indexes, Storage._batch_transaction = run, indexes, transaction


def correct_faults() -> None:
    """Makes the corrections that the head of this file tells of."""
    commands._RETRY_IDENTITY_IGNORED |= {"maxTimeMS"}
    commands._COMMAND_ACTIONS["bulkWrite"] = (commands.A_FSYNC, commands.SCOPE_CLUSTER)
    Storage.collection_uuid = identifier_if_exists
    transactions.TransactionRegistry._prune_retryable_locked = forget_oldest_writes
    Storage.get_profile = lambda *_: {"level": 0, "slowms": 100, "sampleRate": 1.0}
    read_indexes_once()


def add_admin(server: SecantusDBServer) -> None:
    """Makes the first administrator, unless the data folder has it already."""
    server.storage.add_user(
        "admin",
        ADMIN,
        {
            "_id": f"admin.{ADMIN}",
            "user": ADMIN,
            "db": "admin",
            "credentials": derive_credentials(PASSWORD, iterations=LEAST_ITERATIONS).to_doc(),
            "roles": [{"role": "root", "db": "admin"}],
            "mechanisms": ["SCRAM-SHA-256"],
        },
        replace=False,
    )


def new_folder() -> str:
    """Makes a folder for data that nobody wants to keep."""
    memory, room = "/dev/shm", 1 << 30
    if not os.path.isdir(memory) or shutil.disk_usage(memory).free < room:
        memory = None
    return tempfile.mkdtemp(prefix="web-backend-mongodb-", dir=memory)


def report(line: str) -> None:
    """Writes a line at once, so that it is never mixed with that of another process."""
    os.write(1, f"{line}\n".encode())


def serve(arguments: argparse.Namespace, announce: str, alive: int) -> None:
    """Serves until SIGTERM, or until the file descriptor alive is at its end."""
    folder = arguments.data or new_folder()
    server = SecantusDBServer(
        host="127.0.0.1",
        port=arguments.port,
        storage_path=folder,
        require_auth=not arguments.anonymous,
        sync_on_commit=True,
        ttl_sweep_seconds=0,
    )
    add_admin(server)

    def end(*_: object) -> None:
        # At once: what was confirmed is on the disk, and no client waits for the rest.
        if not arguments.data:
            shutil.rmtree(folder, ignore_errors=True)
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    server.start()
    report(f"{announce}listening on {server.host}:{server.port}")

    def end_with_input() -> None:
        while os.read(alive, 4096):
            pass
        end()

    threading.Thread(target=end_with_input, daemon=True).start()
    server.wait()


def serve_many(parser: argparse.ArgumentParser) -> None:
    """Starts a server for each line of standard input, in a copy of this process."""
    folder = new_folder()
    wiredtiger.wiredtiger_open(folder, "create").close()  # measures the clock
    shutil.rmtree(folder, ignore_errors=True)
    alive, held = os.pipe()
    names = {}

    def report_ended(*_: object) -> None:
        for pid in list(names):
            if os.waitpid(pid, os.WNOHANG)[0]:
                report(f"{names.pop(pid)} ended")

    signal.signal(signal.SIGCHLD, report_ended)
    while line := sys.stdin.readline():
        name, *flags = json.loads(line)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
            os.close(held)
            arguments = parser.parse_args(flags)
            if arguments.data:  # otherwise it first has to remove its own folder
                kill_with_parent()
            serve(arguments, f"{name} ", alive)
        names[pid] = name
        report(f"{name} is {pid}")
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})


def kill_with_parent() -> None:
    """Makes the kernel kill this process with its parent, also if it is frozen. Only on Linux."""
    if sys.platform == "linux":
        PR_SET_PDEATHSIG = 1
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of the data; without it, one that is removed at the end")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--anonymous", action="store_true", help="ask for no user")
    parser.add_argument("--many", action="store_true", help="start a server for each line of input")
    arguments = parser.parse_args()

    logging.basicConfig(level="WARNING", format="%(levelname)s %(name)s: %(message)s")
    correct_faults()
    if arguments.many:
        serve_many(parser)
    else:
        serve(arguments, "", sys.stdin.fileno())


if __name__ == "__main__":
    main()
