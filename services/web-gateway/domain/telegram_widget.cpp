#include "domain/telegram_widget.hpp"

#include "domain/refused.hpp"

#include "coursegate/base/encoding.hpp"

#include <charconv>
#include <limits>
#include <map>

namespace coursegate::web_gateway {
namespace {

constexpr std::size_t most_fields = 20;

std::int64_t number_of(const std::map<std::string, std::string>& fields, const std::string& name)
{
    const auto at = fields.find(name);
    std::int64_t out = 0;
    const auto* begin = at == fields.end() ? nullptr : at->second.data();
    const auto* end = at == fields.end() ? nullptr : begin + at->second.size();
    const auto parsed = std::from_chars(begin, end, out);
    if (begin == end || parsed.ec != std::errc() || parsed.ptr != end || out <= 0)
        throw invalid(name, "The sign-in from Telegram lacks a number.");
    return out;
}

} // namespace

widget_login checked_widget(const std::vector<std::pair<std::string, std::string>>& fields,
    const base::secret& bot_token, base::time_point now)
{
    std::map<std::string, std::string> sorted;
    if (fields.size() > most_fields)
        throw invalid({}, "The sign-in from Telegram has too many fields.");
    for (const auto& [name, value] : fields)
        if (!sorted.emplace(name, value).second)
            throw invalid(name, "The sign-in from Telegram has a field twice.");
    widget_login out;
    out.signature = sorted["hash"];
    sorted.erase("hash");
    std::string signed_text;
    for (const auto& [name, value] : sorted)
        signed_text += (signed_text.empty() ? "" : "\n") + name + "=" + value;
    const auto expected = base::to_hex(base::hmac_sha256(base::sha256(bot_token.expose()), signed_text));
    if (!base::equal_in_constant_time(out.signature, expected))
        throw invalid("hash", "The sign-in does not come from Telegram.");

    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
    const auto at = number_of(sorted, "auth_date");
    constexpr std::int64_t clock_skew = 60;
    if (at > seconds + clock_skew)
        throw invalid("auth_date", "The sign-in from Telegram is of the future.");
    if (at < seconds - std::chrono::seconds(widget_lasts).count())
        throw invalid("auth_date", "The sign-in from Telegram is too old.");
    out.telegram_id = number_of(sorted, "id");
    if (const auto name = sorted.find("username"); name != sorted.end())
        out.username = name->second;
    return out;
}

} // namespace coursegate::web_gateway
