// What Telegram tells a Mini App about who opened it: `initData`, fields as in a query string, signed with
// the bot's token. Another thing than the login widget's fields, whose signature has another key.
#pragma once

#include "coursegate/base/clock.hpp"
#include "coursegate/base/secret.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace coursegate::web_gateway {

inline constexpr std::chrono::hours init_data_lasts{1}; // since Telegram signed it

struct init_data
{
    static constexpr std::size_t most_bytes = 8 * 1024;
    static constexpr std::size_t most_fields = 32;

    std::string user;        // who, as JSON
    std::string start_param; // of the link that opened the app; may be empty
    std::string hash;        // Telegram's signature: it names this one launch
};

// Throws `refused` (invalid_value), which never repeats a value: too long, too many fields, a field twice or
// without a name, an escape that is none, text that is not UTF-8 or has control characters in it, no or a
// wrong signature (`text` is of none of these bots), older than init_data_lasts, of the future, no user.
init_data checked_init_data(
    std::string_view text, const std::vector<base::secret>& bot_tokens, base::time_point now);

} // namespace coursegate::web_gateway
