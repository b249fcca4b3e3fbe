-- Why: a video is played through a link of ours that works once, for a minute, in the session that asked for it, so that
-- no page, log or history of ours holds the student's code.
-- Code before this migration still works: it only adds a table.

CREATE TABLE play_links (
    link_id    uuid PRIMARY KEY,        -- the link is an HMAC of it under our key: this table alone plays nothing
    id_hash    bytea NOT NULL,          -- SHA-256 of what stands in the link
    session_id uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
    user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    course_id  bigint NOT NULL,
    lesson_id  bigint NOT NULL,
    part       integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at    timestamptz,
    CONSTRAINT play_links_id_hash_size CHECK (octet_length(id_hash) = 32)
);
CREATE UNIQUE INDEX play_links_id_hash_key ON play_links (id_hash);
CREATE INDEX play_links_by_session ON play_links (session_id, lesson_id);
CREATE INDEX play_links_by_user ON play_links (user_id);
CREATE INDEX play_links_by_expiry ON play_links (expires_at);
