-- Why: people sign in to the Mini App by what Telegram signs at each launch. Within its hour that text may come again (a
-- reload, an answer that got lost) and goes on with the session it began; once that session is over it begins none.
-- Code before this migration still works: it only adds a table.

CREATE TABLE mini_app_sign_ins (
    proof_hash bytea PRIMARY KEY,                       -- SHA-256 of Telegram's signature of one launch
    user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    session_id uuid NOT NULL,                           -- no reference: the row is there to outlive its session
    forget_at  timestamptz NOT NULL,                    -- Telegram's word is too old by then
    CONSTRAINT mini_app_sign_ins_proof_hash_size CHECK (octet_length(proof_hash) = 32)
);
CREATE INDEX mini_app_sign_ins_by_user ON mini_app_sign_ins (user_id);
CREATE INDEX mini_app_sign_ins_by_age ON mini_app_sign_ins (forget_at);
