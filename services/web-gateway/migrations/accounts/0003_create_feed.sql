-- Why: the event log. Every domain event, once, in an order that a reader can follow without missing a transaction that
-- commits late: by (xid, seq), and only rows whose xid is below pg_snapshot_xmin(pg_current_snapshot()).
-- Code before this migration still works: it only adds a table.

CREATE TABLE feed (
    seq            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid            xid8 NOT NULL DEFAULT pg_current_xact_id(),
    event_id       uuid NOT NULL,
    event          jsonb NOT NULL,     -- the whole CloudEvents envelope
    recorded_at    timestamptz NOT NULL DEFAULT now(),
    -- Taken out of the event where it has them, to find a student's trail without reading the log.
    type           text NOT NULL,
    course_id      bigint,
    lesson_id      bigint,
    stepik_user_id bigint,
    user_id        uuid
);

-- A message delivered twice is one row.
CREATE UNIQUE INDEX feed_event_id_key ON feed (event_id);
CREATE INDEX feed_in_order ON feed (xid, seq);
CREATE INDEX feed_by_age ON feed (recorded_at);
CREATE INDEX feed_by_stepik_user ON feed (stepik_user_id, course_id) WHERE stepik_user_id IS NOT NULL;
CREATE INDEX feed_by_user ON feed (user_id) WHERE user_id IS NOT NULL;

-- Published: later daemons catch up from here, then follow their own queue.
CREATE VIEW v_feed AS SELECT seq, xid, event, recorded_at FROM feed;
