"""What brings the database to the newest schema: numbered modules, each applied once, by one of many processes.

A step may be broken off by a kill and begun again: each must be able to run twice.
"""

from collections.abc import Awaitable, Callable, Mapping

from pymongo.asynchronous.database import AsyncDatabase

import mutoscope.store.mongo.migrations.m0001_start as m0001_start
import mutoscope.store.mongo.migrations.m0002_models as m0002_models
import mutoscope.store.mongo.migrations.m0003_deliveries as m0003_deliveries
import mutoscope.store.mongo.migrations.m0004_keys as m0004_keys
import mutoscope.store.mongo.migrations.m0005_unlocks as m0005_unlocks
import mutoscope.store.mongo.migrations.m0006_counts as m0006_counts
import mutoscope.store.mongo.migrations.m0007_email as m0007_email
import mutoscope.store.mongo.migrations.m0008_collections as m0008_collections
import mutoscope.store.mongo.migrations.m0009_shares as m0009_shares
from mutoscope.store.mongo.engine import Document

Step = Callable[[AsyncDatabase[Document]], Awaitable[None]]

STEPS: Mapping[int, Step] = {
    1: m0001_start.apply,
    2: m0002_models.apply,
    3: m0003_deliveries.apply,
    4: m0004_keys.apply,
    5: m0005_unlocks.apply,
    6: m0006_counts.apply,
    7: m0007_email.apply,
    8: m0008_collections.apply,
    9: m0009_shares.apply,
}
