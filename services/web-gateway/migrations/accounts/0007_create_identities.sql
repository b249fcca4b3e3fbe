-- Why: people sign in by Google, Telegram and Stepik, and by a link that the bot gives them. What is linked stands in
-- users (google_sub, telegram_id, stepik_user_id, each unique); here is what a person recognises it by, the sign-ins
-- that are under way, and the links.
-- Code before this migration still works: it adds tables and columns with defaults.

ALTER TABLE users ADD COLUMN google_email text NOT NULL DEFAULT '';      -- as Google said it last; names nobody here
ALTER TABLE users ADD COLUMN telegram_username text NOT NULL DEFAULT '';

-- A browser that was sent away and is to come back. All that must stay secret (state, nonce, PKCE verifier) is derived
-- from its cookie under our key: here is only a hash of the cookie.
CREATE TABLE sign_in_attempts (
    cookie_hash bytea PRIMARY KEY,                      -- SHA-256
    way         text NOT NULL,
    -- Who wants to link, in which session: with the session ends the wish. Nothing: a stranger signs in.
    session_id  uuid REFERENCES sessions ON DELETE CASCADE,
    next        text NOT NULL DEFAULT '',
    expires_at  timestamptz NOT NULL,
    CONSTRAINT sign_in_attempts_cookie_hash_size CHECK (octet_length(cookie_hash) = 32),
    CONSTRAINT sign_in_attempts_way_known CHECK (way IN ('google', 'telegram', 'stepik'))
);
CREATE INDEX sign_in_attempts_by_expiry ON sign_in_attempts (expires_at);
CREATE INDEX sign_in_attempts_by_session ON sign_in_attempts (session_id);

-- A link that signs somebody in once. A used one stays until it would have expired, so that what it was made from makes
-- no second one.
CREATE TABLE sign_in_links (
    token_hash   bytea PRIMARY KEY,                     -- SHA-256
    user_id      uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    signed_in_by text NOT NULL,
    proof_hash   bytea,                                 -- SHA-256 of Telegram's signature that it was made for
    expires_at   timestamptz NOT NULL,                  -- of the link
    forget_at    timestamptz NOT NULL,                  -- of the row
    used_at      timestamptz,
    CONSTRAINT sign_in_links_token_hash_size CHECK (octet_length(token_hash) = 32),
    CONSTRAINT sign_in_links_signed_in_by_known CHECK (signed_in_by IN ('telegram', 'bot_link'))
);
CREATE UNIQUE INDEX sign_in_links_proof_key ON sign_in_links (proof_hash);
CREATE INDEX sign_in_links_by_age ON sign_in_links (forget_at);
CREATE INDEX sign_in_links_by_user ON sign_in_links (user_id);
