// What the database knows about one try to sign in by e-mail and code: whether another try is allowed, and
// what the code should be. The same statements run whether the e-mail is known here or not.
#pragma once

#include "domain/sign_in.hpp"

#include "coursegate/base/uuid.hpp"
#include "coursegate/db/pool.hpp"

#include <optional>
#include <string>

namespace coursegate::web_gateway {

// HMACs of whom a try is aimed at and where it comes from.
struct attempt_keys
{
    std::string account;
    std::string address;
};

struct standing
{
    base::time_point now{}; // the database's
    web_gateway::failures failures;
    std::optional<base::uuid> user_id{}; // nothing: no such e-mail
    std::string boom_code_hmac;          // empty: no such e-mail, or no code
};

// Tries at one account, and tries from one address, take turns from here to the end of the transaction: a
// hundred guesses at the same moment count like a hundred in a row. `email` in any case; it may be empty
// (nobody).
standing standing_of(db::transaction& tx, const attempt_keys& keys, const std::string& email);

// True while `boom_code_hmac` is the user's. Until the end of the transaction nobody changes it: a code that
// is rotated at this moment either is the new one here already, or its rotation finds (and ends) the session
// that begins here.
bool still_has_code(db::transaction& tx, const base::uuid& user_id, const std::string& boom_code_hmac);

void note_failure(db::transaction& tx, const attempt_keys& keys);

// Forgets up to `most` failures that no longer count; returns how many.
int purge_sign_in_failures(db::transaction& tx, int most);

} // namespace coursegate::web_gateway
