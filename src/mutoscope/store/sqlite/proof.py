"""Whether the ledger adds up: each question is one query whose rows are what is wrong."""

import sqlite3

_SUMS = """
  WITH sums AS (
    SELECT account, sum(amount) AS amount FROM (
      SELECT credit AS account, amount FROM entries UNION ALL SELECT debit, -amount FROM entries
    ) GROUP BY account
  ), cached AS (
    SELECT 'available:' || person_id AS account, available AS amount FROM balances
    UNION ALL SELECT 'held:' || person_id, held FROM balances
  )
"""

_QUESTIONS = (
    (
        "{}: the balance says {}, its entries {}",
        """{sums}
  SELECT cached.account, cached.amount, coalesce(sums.amount, 0) FROM cached LEFT JOIN sums USING (account)
  WHERE cached.amount <> coalesce(sums.amount, 0)
  UNION ALL
  SELECT account, 'nothing', amount FROM sums
  WHERE account NOT LIKE 'house:%' AND amount <> 0 AND account NOT IN (SELECT account FROM cached)""",
    ),
    ("{}: the balance is negative ({})", "{sums} SELECT account, amount FROM cached WHERE amount < 0"),
    (
        "all accounts together hold {} and not 0",
        """{sums}
  SELECT total FROM (
    SELECT (SELECT coalesce(sum(amount), 0) FROM cached)
         + (SELECT coalesce(sum(amount), 0) FROM sums WHERE account LIKE 'house:%') AS total
  ) WHERE total <> 0""",
    ),
    (
        "{}: {} tokens are held, its open holds are {}",
        """
  SELECT person_id, held, open FROM (
    SELECT person_id, held, (
      SELECT coalesce(sum(amount), 0) FROM holds WHERE holds.person_id = balances.person_id AND captured IS NULL
    ) AS open FROM balances
  ) WHERE held <> open""",
    ),
    (
        "{}: its hold is open and no job runs",
        """
  SELECT reference FROM holds LEFT JOIN generations ON id = reference WHERE captured IS NULL AND NOT coalesce(live, 0)""",
    ),
    (
        "{}: the job runs and its hold is not open",
        """
  SELECT id FROM generations LEFT JOIN holds ON reference = id
  WHERE live AND document ->> 'captured' IS NULL AND (reference IS NULL OR captured IS NOT NULL)""",
    ),
    (
        "{}: the job says that {} was captured, its hold {}",
        """
  SELECT id, document ->> 'captured', captured FROM generations JOIN holds ON reference = id
  WHERE document ->> 'captured' IS NOT captured""",
    ),
    (
        "{}: the {} entries come to {} and not {}",
        """
  SELECT reference, kind, booked, due FROM (
    SELECT h.reference, k.kind, coalesce(e.amount, 0) AS booked,
      CASE k.kind WHEN 'hold' THEN h.amount WHEN 'capture' THEN coalesce(captured, 0)
        ELSE CASE WHEN captured IS NULL THEN 0 ELSE h.amount - captured END END AS due
    FROM holds AS h JOIN (SELECT 'hold' AS kind UNION ALL SELECT 'capture' UNION ALL SELECT 'release') AS k
    LEFT JOIN entries AS e ON e.kind = k.kind AND e.reference = h.reference
  ) WHERE booked <> due""",
    ),
    (
        "{}: the {} entries come to {} and not {}",
        """
  SELECT id, kind, booked, due FROM (
    SELECT u.id, k.kind, coalesce(e.amount, 0) AS booked,
      CASE k.kind WHEN 'unlock' THEN document ->> 'price' WHEN 'earning' THEN document ->> 'price' - document ->> 'share'
        WHEN 'reversal' THEN coalesce(document ->> 'taken_back', 0)
        ELSE CASE WHEN refunded_at IS NULL THEN 0 ELSE document ->> 'price' END END AS due
    FROM unlocks AS u
    JOIN (SELECT 'unlock' AS kind UNION ALL SELECT 'earning' UNION ALL SELECT 'refund' UNION ALL SELECT 'reversal') AS k
    LEFT JOIN entries AS e ON e.kind = k.kind AND e.reference = u.id
  ) WHERE booked <> due""",
    ),
    (
        "{}: there is a {} entry and no unlock",
        """
  SELECT reference, kind FROM entries LEFT JOIN unlocks ON unlocks.id = reference
  WHERE kind IN ('unlock', 'earning', 'refund', 'reversal') AND unlocks.id IS NULL""",
    ),
)


def proof(c: sqlite3.Connection) -> list[str]:
    """What does not add up, a line each; empty when all is right."""
    return [line.format(*row) for line, question in _QUESTIONS for row in c.execute(question.replace("{sums}", _SUMS))]
