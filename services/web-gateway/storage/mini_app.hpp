// accounts.mini_app_sign_ins: the launches of the Mini App that Telegram has vouched for within the last hour
// or so, and the session that each of them began.
#pragma once

#include "storage/sessions.hpp"

#include <string>

namespace coursegate::web_gateway {

enum class app_start
{
    started, // a new session
    goes_on, // the one that this launch began, which is alive
    is_over, // that one has ended, or was another person's: nothing begins
};

// `proof_hash` names the launch, 32 raw bytes; `s` has its user. Of the same launch several times at the same
// moment one begins a session: the caller holds the person's turn (storage/identities, user_of_telegram).
app_start start_app_session(
    db::transaction& tx, const act& by, const new_session& s, const std::string& proof_hash);

// Forgets up to `most` launches that are too old to come again; returns how many.
int purge_app_sign_ins(db::transaction& tx, int most);

} // namespace coursegate::web_gateway
