// The legacy Telegram Login widget (and login_url buttons of a bot): fields in a query string, signed with
// the bot's token. Another thing than a Mini App's initData, whose signature has another key.
#pragma once

#include "coursegate/base/clock.hpp"
#include "coursegate/base/secret.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace coursegate::web_gateway {

inline constexpr std::chrono::hours widget_lasts{1}; // since the person agreed

struct widget_login
{
    std::int64_t telegram_id = 0;
    std::string username;  // empty: has none
    std::string signature; // the hash as sent: it names this one consent
};

// Throws `refused` (invalid_value): a field twice, no or a wrong signature, older than widget_lasts, from the
// future, without an id. `fields` are those received, decoded.
widget_login checked_widget(const std::vector<std::pair<std::string, std::string>>& fields,
    const base::secret& bot_token, base::time_point now);

} // namespace coursegate::web_gateway
