-- Why: every write by a person leaves a row (who, what, when, why), and a write that is sent twice under one
-- Idempotency-Key happens once. What was asked of other daemons (grant, revoke, sync, audit) is remembered too, so
-- that its id can be watched from the first moment.
-- Code before this migration still works: it only adds tables.

CREATE TABLE audit_log (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at           timestamptz NOT NULL DEFAULT now(),
    who          text NOT NULL,      -- the token's name, or 'environment'
    on_behalf_of text,               -- X-Actor
    what         text NOT NULL,      -- 'user.create', 'course.connect', …
    target       text NOT NULL,      -- 'user/<uuid>', 'course/<id>/lesson/<id>', …
    before       jsonb,              -- without secrets: a changed secret shows as "changed"
    after        jsonb,
    why          text,
    request_id   text NOT NULL
);
CREATE INDEX audit_log_by_target ON audit_log (target, id);

CREATE TABLE idempotency_keys (
    who        text NOT NULL,        -- one caller's keys never meet another's
    key        text NOT NULL,
    route      text NOT NULL,        -- 'POST /v1/grants'
    body_hash  bytea NOT NULL,       -- SHA-256 of the request's target and body
    status     integer,              -- NULL only inside the transaction that writes it
    answer_box bytea,                -- sealed: the answer may hold a code that was generated; bound to who and key
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (who, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

CREATE TABLE requests (
    request_id     uuid PRIMARY KEY,
    kind           text NOT NULL,
    course_id      bigint NOT NULL,
    lesson_id      bigint,
    user_id        uuid,
    stepik_user_id bigint,
    actor          text NOT NULL,
    requested_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT requests_kind_known CHECK (kind IN ('grant', 'revoke', 'sync', 'audit'))
);
CREATE INDEX requests_by_age ON requests (requested_at);
