"""Transactions whose process was killed in their middle: the server would keep what they hold for more than a minute.

(``transactionLifetimeLimitSeconds`` is 60, and it looks every 30; measured: 89 s in which nothing left the queue.)
"""

from typing import Any

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

STILL_S = 5.0
"""How long a transaction of ours stands still before its process counts as dead. One that was only slow tries again."""


async def end_orphans(client: AsyncMongoClient[Any]) -> int:
    """End what has stood still, of this user and of programs that call themselves as this one does; how many.

    Best effort: where the account may not look, the server's own limit ends them.
    """
    name = client.options.pool_options.appname
    still = {
        "type": "idleSession", "appName": name, "transaction.timeInactiveMicros": {"$gte": round(STILL_S * 1e6)}
    }  # fmt: skip
    try:
        looking = await client.admin.aggregate([{"$currentOp": {"idleSessions": True}}, {"$match": still}])
        found = [{"id": session["lsid"]["id"]} for session in await looking.to_list()] if name else []
        if found:
            await client.admin.command({"killSessions": found})
    except PyMongoError:
        return 0
    return len(found)
