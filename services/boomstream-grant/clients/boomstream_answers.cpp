#include "clients/boomstream_answers.hpp"

#include "domain/grants.hpp"
#include "domain/moscow_time.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <stdexcept>

namespace coursegate::boomstream_grant {

std::string_view to_string(outcome o)
{
    switch (o) {
    case outcome::not_sent:
        return "not_sent";
    case outcome::circuit_open:
        return "circuit_open";
    case outcome::busy:
        return "busy";
    case outcome::rejected:
        return "rejected";
    case outcome::misconfigured:
        return "misconfigured";
    case outcome::unknown:
        return "unknown";
    }
    throw std::logic_error("boomstream-grant: an outcome without a word");
}

void throw_exception_from_error(const refusal& r, const boost::source_location&)
{
    throw std::runtime_error(std::string(to_string(r.code)) + ": " + r.message);
}

namespace answers {

namespace {

using nlohmann::json;

constexpr std::size_t longest_message = 300;

bool same_word(std::string_view a, std::string_view b)
{
    const auto low = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [&](char x, char y) { return low(x) == low(y); });
}

void cut_out(std::string& text, const std::string& word)
{
    if (word.size() < 4)
        return;
    for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at))
        text.replace(at, word.size(), "***");
}

// The provider's words, fit for a table row and a page: our secrets cut out, one line, not too long.
std::string speakable(std::string text, const unspeakable& secrets)
{
    cut_out(text, secrets.api_key.expose());
    cut_out(text, secrets.hash.expose());
    if (const auto& code = secrets.hash.expose(); code.size() == 9) // people write NNN-NNN-NNN
        cut_out(text, code.substr(0, 3) + "-" + code.substr(3, 3) + "-" + code.substr(6));
    for (auto& c : text)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
            c = ' ';
    if (text.size() > longest_message) {
        auto end = longest_message;
        while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
            --end; // not in the middle of a character
        text.resize(end);
        text += "…";
    }
    return text;
}

refusal refuse(outcome code, std::string message, std::optional<std::chrono::milliseconds> wait = {})
{
    refusal out;
    out.code = code;
    out.message = std::move(message);
    out.wait = wait;
    return out;
}

// Member `name` in any spelling; nullptr without.
const json* member(const json& object, std::string_view name)
{
    if (!object.is_object())
        return nullptr;
    for (auto it = object.begin(); it != object.end(); ++it)
        if (same_word(it.key(), name))
            return &*it;
    return nullptr;
}

// The answer of addbuyer has `Hash` at the root or deeper (Items.Item.Hash).
const json* find_deep(const json& value, std::string_view name, int depth = 4)
{
    if (const auto* found = member(value, name))
        return found;
    if (depth == 0 || !(value.is_object() || value.is_array()))
        return nullptr;
    for (const auto& child : value)
        if (const auto* found = find_deep(child, name, depth - 1))
            return found;
    return nullptr;
}

std::string text_of(const json* value)
{
    if (!value)
        return {};
    if (value->is_string())
        return value->get<std::string>();
    if (value->is_number_unsigned())
        return std::to_string(value->get<std::uint64_t>());
    if (value->is_number_integer())
        return std::to_string(value->get<std::int64_t>());
    return {};
}

// A code sent back as a number has lost its leading zeros.
std::string hash_of(const json* value)
{
    auto text = text_of(value);
    if (value && value->is_number() && text.size() < 9)
        text.insert(0, 9 - text.size(), '0');
    return plain_hash(text);
}

std::optional<int> integer_of(const json* value)
{
    const auto text = text_of(value);
    int out = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (text.empty() || failed != std::errc{} || end != text.data() + text.size())
        return std::nullopt;
    return out;
}

// Nothing and a row of zeros mean never; what can't be read must not mean it too.
answer<std::optional<base::time_point>> end_of(const json* value)
{
    const bool says_nothing = !value || value->is_null();
    const bool readable = says_nothing || value->is_string() || value->is_number();
    const auto parsed = parse_moscow(text_of(value));
    if (!readable || !parsed.has_value())
        return refuse(outcome::unknown, "Boomstream answered with an end of access that can't be read");
    return *parsed;
}

struct document
{
    json content;
    bool success = false; // `Status` says so; false: it says nothing
};

answer<document> parse(std::string_view body)
{
    const auto start = body.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
    if (start == std::string_view::npos)
        return refuse(outcome::unknown, "Boomstream sent an empty answer");
    if (body[start] == '<')
        return refuse(outcome::unknown, "Boomstream sent a page (HTML or XML) instead of JSON");
    document out;
    out.content = json::parse(body.substr(start), nullptr, false);
    if (out.content.is_discarded())
        return refuse(outcome::unknown, "Boomstream sent JSON that is cut or broken");
    if (!out.content.is_object())
        return refuse(outcome::unknown, "Boomstream sent something that is no answer");
    return out;
}

// True: `Status` says Success. False: it says nothing.
answer<bool> status_of(const json& doc, const unspeakable& secrets)
{
    const auto* status = member(doc, "Status");
    if (!status || status->is_null())
        return false;
    const auto word = text_of(status);
    if (same_word(word, "Success"))
        return true;
    if (!same_word(word, "Failed"))
        return refuse(outcome::unknown, "Boomstream answered with an unknown Status");
    auto message = text_of(member(doc, "Message"));
    if (message.empty())
        message = "refused without a reason";
    const auto code = is_about_the_key(message) ? outcome::misconfigured : outcome::rejected;
    const bool needs_person = needs_a_person(message);
    auto out = refuse(code, speakable(std::move(message), secrets));
    out.needs_person = needs_person;
    return out;
}

// HTTP first, then the document's own Status.
answer<document> accepted(const raw& r, const unspeakable& secrets)
{
    const auto http = "HTTP " + std::to_string(r.status);
    if (r.status == 429)
        return refuse(outcome::busy, "too many requests", r.retry_after);
    if (r.status == 408 || r.status >= 500 || r.status < 200)
        return refuse(outcome::unknown, http); // a gateway's 502 says nothing about what happened behind it

    auto doc = parse(r.body);
    if (r.status >= 300) {
        // Refused before anything was done; the words, where there are any, are the provider's.
        std::string message = http;
        if (doc.has_value())
            if (auto words = text_of(member(doc->content, "Message")); !words.empty())
                message += ": " + words;
        const bool key = r.status == 401 || r.status == 403 || is_about_the_key(message);
        return refuse(
            key ? outcome::misconfigured : outcome::rejected, speakable(std::move(message), secrets));
    }
    if (!doc.has_value())
        return doc.error();
    const auto said = status_of(doc->content, secrets);
    if (!said.has_value())
        return said.error();
    doc->success = *said;
    return doc;
}

} // namespace

std::string plain_hash(std::string_view text)
{
    std::string digits;
    for (const char c : text)
        if (c >= '0' && c <= '9')
            digits += c;
        else if (c != '-' && c != ' ')
            return std::string(text); // another kind of hash: not ours
    return digits;
}

answer<granted> read_grant(const raw& r, const unspeakable& secrets)
{
    const auto a = accepted(r, secrets);
    if (!a.has_value())
        return a.error();
    const auto& [doc, success] = *a;
    const auto* hash = find_deep(doc, "Hash");
    const bool same = hash && base::equal_in_constant_time(hash_of(hash), plain_hash(secrets.hash.expose()));
    if (hash && !same)
        return refuse(outcome::unknown, "Boomstream answered with another code than the one sent");
    if (!success && !same)
        return refuse(outcome::unknown, "Boomstream's answer has neither a Status nor the code");
    const auto end = end_of(find_deep(doc, "AccessExpirationDate"));
    if (!end.has_value())
        return end.error();
    granted out;
    out.ends_at = *end;
    return out;
}

answer<void> read_revoke(const raw& r, const unspeakable& secrets)
{
    const auto a = accepted(r, secrets);
    if (!a.has_value()) {
        if (a.error().code == outcome::rejected && a.error().needs_person)
            return {}; // "… not found"
        return a.error();
    }
    if (!a->success)
        return refuse(outcome::unknown, "Boomstream's answer has no Status");
    return {};
}

answer<std::vector<listed_buyer>> read_list(const raw& r, const unspeakable& secrets)
{
    const auto a = accepted(r, secrets);
    if (!a.has_value())
        return a.error();
    const auto* items = member(a->content, "Items");
    if (!items) // an empty one has them all the same
        return refuse(outcome::unknown, "Boomstream's answer has no list");
    if (items->is_object())
        if (const auto* inner = member(*items, "Item"))
            items = inner;

    std::vector<listed_buyer> out;
    std::optional<refusal> unreadable;
    const auto add = [&](const json& item) {
        auto hash = hash_of(member(item, "Hash"));
        if (hash.empty())
            return;
        listed_buyer b;
        b.hash = base::secret(std::move(hash));
        b.email = text_of(member(item, "Email"));
        const auto end = end_of(member(item, "AccessExpirationDate"));
        if (!end.has_value()) {
            unreadable = end.error();
            return;
        }
        b.ends_at = *end;
        b.activations_left = integer_of(member(item, "Recovery"));
        out.push_back(std::move(b));
    };
    if (items->is_null() || (items->is_string() && items->get_ref<const std::string&>().empty()))
        return out; // an empty list: <Items/>
    if (items->is_array()) {
        out.reserve(items->size());
        for (const auto& item : *items)
            add(item);
    }
    else if (items->is_object() && (items->empty() || member(*items, "Hash")))
        add(*items); // a list of one, or an empty object
    else
        return refuse(outcome::unknown, "Boomstream's list has a shape we do not know");
    if (unreadable)
        return *unreadable;
    return out;
}

} // namespace answers
} // namespace coursegate::boomstream_grant
