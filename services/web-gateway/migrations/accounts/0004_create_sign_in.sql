-- Why: people sign in on the site. Sessions (only a hash of each token), what is needed to limit guessing, who may do
-- more than a student, and in which time zone somebody reads times.
-- Code before this migration still works: it adds tables and columns with defaults, and nobody reads users.role.

ALTER TABLE users ADD COLUMN time_zone text NOT NULL DEFAULT 'UTC'
    CONSTRAINT users_time_zone_form CHECK (time_zone ~ '^[A-Za-z0-9_+/-]{1,64}$'); -- an IANA name

-- From where a write came: the address of the person's browser or of his tool.
ALTER TABLE audit_log ADD COLUMN address text;

CREATE TABLE sessions (
    session_id   uuid PRIMARY KEY,               -- names it in the list of one's own sessions; opens nothing
    token_hash   bytea NOT NULL,                 -- SHA-256 of the token, which only the browser has
    user_id      uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    signed_in_by text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(), -- to the hour: it is not written more often
    expires_at   timestamptz NOT NULL,
    user_agent   text NOT NULL DEFAULT '',       -- its first characters, for the person to know the device by
    address      text NOT NULL DEFAULT '',       -- of the sign-in
    CONSTRAINT sessions_token_hash_size CHECK (octet_length(token_hash) = 32),
    CONSTRAINT sessions_signed_in_by_known
        CHECK (signed_in_by IN ('code', 'password', 'telegram', 'bot_link', 'google', 'stepik', 'mini_app'))
);
CREATE UNIQUE INDEX sessions_token_hash_key ON sessions (token_hash);
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

-- One row per failed sign-in of the last hour or so. Whom it was aimed at and where it came from are HMACs: a copy of
-- this table tells nobody which addresses were tried, whether they exist here or not.
CREATE TABLE sign_in_failures (
    failure_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_hmac bytea NOT NULL,
    address_hmac bytea NOT NULL,
    at           timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX sign_in_failures_by_account ON sign_in_failures (account_hmac, at);
CREATE INDEX sign_in_failures_by_address ON sign_in_failures (address_hmac, at);
CREATE INDEX sign_in_failures_by_age ON sign_in_failures (at);

-- What somebody may do beyond being a student, which everybody is. An author is one of given courses.
CREATE TABLE user_roles (
    user_id   uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    role      text NOT NULL,
    course_id bigint,
    given_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT user_roles_known CHECK (role IN ('author', 'support', 'ops', 'admin')),
    CONSTRAINT user_roles_course CHECK ((role = 'author') = (course_id IS NOT NULL))
);
CREATE UNIQUE INDEX user_roles_key ON user_roles (user_id, role, coalesce(course_id, 0));
