// What a person decides about himself: how he is called, how he hears from us, what we know of him, and that
// he leaves. Every write is one change with its audit row, in the caller's transaction.
#pragma once

#include "domain/principal.hpp"

#include "coursegate/base/uuid.hpp"
#include "coursegate/db/pool.hpp"

#include <optional>
#include <string>

namespace coursegate::web_gateway {

struct own_profile
{
    std::string first_name;
    std::string last_name;
    std::string language;
    std::string time_zone;
};

struct notice_settings
{
    bool by_telegram = true;
    bool by_email = true;
    std::optional<std::string> quiet_from{}; // "22:00", in his own time zone; both or neither
    std::optional<std::string> quiet_to{};

    bool operator==(const notice_settings&) const = default;
};

notice_settings notices_of(db::transaction& tx, const base::uuid& user_id);

// Nothing different: no audit row.
void change_profile(db::transaction& tx, const act& by, const base::uuid& user_id, const own_profile& wish);
void change_language(
    db::transaction& tx, const act& by, const base::uuid& user_id, const std::string& language);
void change_notices(
    db::transaction& tx, const act& by, const base::uuid& user_id, const notice_settings& wish);

// Everything about him here, as JSON text; no secret of his or ours.
std::string all_about(db::transaction& tx, const base::uuid& user_id);

// He leaves: nothing of him stays in accounts but an empty row under his id, which the audit log and the
// other slices point to. His sessions and roles end, his code and links to other services go, and what was
// opened for him is ordered to be closed (boomstream-grant takes him out of Boomstream).
void delete_account(db::transaction& tx, act by, const base::uuid& user_id);

} // namespace coursegate::web_gateway
