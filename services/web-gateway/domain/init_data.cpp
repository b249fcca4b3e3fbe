#include "domain/init_data.hpp"

#include "domain/form.hpp"
#include "domain/refused.hpp"

#include "coursegate/base/encoding.hpp"

#include <algorithm>
#include <charconv>
#include <map>

namespace coursegate::web_gateway {
namespace {

using field_map = std::map<std::string, std::string>;

refused broken(const char* what)
{
    return invalid("init_data", std::string("This is not what Telegram gives a Mini App: ") + what + ".");
}

// Fields are signed one per line: with a line break in it, one value could be read as two fields.
bool has_controls(const std::string& text)
{
    return std::any_of(text.begin(), text.end(), [](char c) { return (c >= 0 && c < 0x20) || c == 0x7F; });
}

field_map fields_of(std::string_view text)
{
    if (text.size() > init_data::most_bytes)
        throw broken("it is too long");
    field_map out;
    while (!text.empty()) {
        const auto end = text.find('&');
        const auto pair = text.substr(0, end);
        text = end == text.npos ? std::string_view{} : text.substr(end + 1);
        const auto equals = pair.find('=');
        if (equals == pair.npos || equals == 0)
            throw broken("a field has no name");
        auto name = decoded_form_text(pair.substr(0, equals));
        auto value = decoded_form_text(pair.substr(equals + 1));
        if (has_controls(name) || has_controls(value))
            throw broken("a field has control characters in it");
        if (!out.emplace(std::move(name), std::move(value)).second)
            throw broken("a field is there twice");
        if (out.size() > init_data::most_fields)
            throw broken("it has too many fields");
    }
    return out;
}

std::string take(field_map& fields, const char* name)
{
    const auto at = fields.find(name);
    if (at == fields.end())
        return {};
    auto out = std::move(at->second);
    fields.erase(at);
    return out;
}

// Every bot is tried, so that the time taken does not tell which one it was.
bool is_signed(
    const std::string& hash, const std::string& signed_text, const std::vector<base::secret>& bot_tokens)
{
    bool out = false;
    for (const auto& token : bot_tokens) {
        const auto key = base::hmac_sha256("WebAppData", token.expose());
        const auto expected = base::to_hex(base::hmac_sha256(key, signed_text));
        if (base::equal_in_constant_time(hash, expected))
            out = true;
    }
    return out;
}

void check_age(const field_map& fields, base::time_point now)
{
    const auto at = fields.find("auth_date");
    if (at == fields.end())
        throw broken("it has no date");
    const auto& text = at->second;
    std::int64_t date = 0;
    const auto* end = text.data() + text.size();
    const auto [stopped, ec] = std::from_chars(text.data(), end, date);
    if (ec != std::errc() || stopped != end || date <= 0)
        throw broken("its date is none");
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
    constexpr std::int64_t clock_skew = 60;
    if (date > seconds + clock_skew)
        throw broken("it is of the future");
    if (date < seconds - std::chrono::seconds(init_data_lasts).count())
        throw broken("it is too old");
}

} // namespace

init_data checked_init_data(
    std::string_view text, const std::vector<base::secret>& bot_tokens, base::time_point now)
{
    auto fields = fields_of(text);
    init_data out;
    out.hash = take(fields, "hash");
    // All the others are signed, `signature` (Telegram's for third parties) among them.
    std::string signed_text;
    for (const auto& [name, value] : fields)
        signed_text += (signed_text.empty() ? "" : "\n") + name + "=" + value;
    if (!is_signed(out.hash, signed_text, bot_tokens))
        throw broken("it is not signed by one of our bots");
    check_age(fields, now);
    out.user = take(fields, "user");
    out.start_param = take(fields, "start_param");
    if (out.user.empty())
        throw broken("it does not say who opened the app");
    return out;
}

} // namespace coursegate::web_gateway
