// Idempotency-Key: a write that is sent twice under one key happens once, and both callers get the same
// answer.
//
// The key's row, the change and the stored answer are one transaction. Two at the same moment: the second
// waits on the key's row until the first has committed (and gets its answer) or rolled back (and does the
// work itself). A crash before COMMIT leaves neither; after it, the repeated request finds the answer.
#pragma once

#include "coursegate/base/keyring.hpp"
#include "coursegate/db/pool.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <string>

namespace coursegate::web_gateway {

struct idempotent_call
{
    std::string who;       // the principal: one caller's keys never meet another's
    std::string key;       // as sent
    std::string route;     // "POST /v1/grants"
    std::string body_hash; // SHA-256 of target and body
};

// What a write answers: a status and a JSON text (empty with 204).
struct answer
{
    int status = 200;
    std::string body;
    bool replayed = false; // it is the stored answer of an earlier request
};

inline constexpr std::chrono::hours idempotency_kept{24};

// Runs `work` unless the call was answered before. An answer of 400 and above is not kept: `work` has changed
// nothing then, and the request may be put right. Throws `refused` (idempotency_key_reused) when the key was
// used for another route or body.
answer once(db::transaction& tx, const base::keyring& keys, const std::optional<idempotent_call>& call,
    const std::function<answer()>& work);

// Forgets up to `most` keys that are older than idempotency_kept; returns how many.
int purge_idempotency_keys(db::transaction& tx, int most);

} // namespace coursegate::web_gateway
