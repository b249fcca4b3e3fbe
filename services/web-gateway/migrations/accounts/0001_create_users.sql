-- Why: the people who may watch videos, and what other slices may know about them.
-- Code before this migration still works: there was none.

CREATE TABLE users (
    id             uuid PRIMARY KEY,
    email          text NOT NULL,
    first_name     text NOT NULL DEFAULT '',
    last_name      text NOT NULL DEFAULT '',
    -- The 9-digit Boomstream code. The box (AES-256-GCM) is bound to (accounts.users, boom_code_box, id); the HMAC
    -- makes codes unique without anybody being able to read them here.
    boom_code_box  bytea,
    boom_code_hmac bytea,
    code_version   integer NOT NULL DEFAULT 1,          -- +1 with each rotation
    stepik_user_id bigint,
    telegram_id    bigint,
    google_sub     text,
    role           text NOT NULL DEFAULT 'student',
    locale         text NOT NULL DEFAULT 'ru',
    created_at     timestamptz NOT NULL DEFAULT now(),
    changed_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT users_role_known CHECK (role IN ('student', 'author', 'operator')),
    CONSTRAINT users_locale_known CHECK (locale IN ('ru', 'uk', 'en')),
    CONSTRAINT users_code_whole CHECK ((boom_code_box IS NULL) = (boom_code_hmac IS NULL))
);

-- Addresses are unique whatever their case; the spelling of the first who wrote it is kept.
CREATE UNIQUE INDEX users_email_key ON users (lower(email));
CREATE UNIQUE INDEX users_boom_code_key ON users (boom_code_hmac);
CREATE UNIQUE INDEX users_stepik_user_id_key ON users (stepik_user_id);
CREATE UNIQUE INDEX users_telegram_id_key ON users (telegram_id);
CREATE UNIQUE INDEX users_google_sub_key ON users (google_sub);

-- Published. boom_code_box opens with the owner {"accounts.users", "boom_code_box", user_id as text}.
CREATE VIEW v_users AS
SELECT id AS user_id, email, first_name, last_name, stepik_user_id, telegram_id, boom_code_box, code_version, locale,
       created_at
  FROM users;
