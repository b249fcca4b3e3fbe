-- Why: people say on their profile how they want to hear from us, and may ask for all we know of them or leave for good.
-- Code before this migration still works: the columns have defaults.

ALTER TABLE users
    ADD COLUMN notice_telegram boolean NOT NULL DEFAULT true,
    ADD COLUMN notice_email    boolean NOT NULL DEFAULT true,
    ADD COLUMN quiet_from      time,          -- in the person's own time zone; may end on the next day
    ADD COLUMN quiet_to        time,
    ADD COLUMN deleted_at      timestamptz,   -- the row stays, without anything about the person
    ADD CONSTRAINT users_quiet_whole CHECK ((quiet_from IS NULL) = (quiet_to IS NULL));

-- Published: for whoever sends notices. Nobody is told anything who has left.
CREATE VIEW v_notice_settings AS
SELECT id AS user_id, email, telegram_id, locale, time_zone, notice_telegram AS by_telegram, notice_email AS by_email,
       quiet_from, quiet_to
  FROM users WHERE deleted_at IS NULL;

-- What a person did, and what was done about him and his lessons ('user/<id>/course/…').
CREATE INDEX audit_log_by_who ON audit_log (who, id);
CREATE INDEX audit_log_by_target_prefix ON audit_log (target text_pattern_ops);
