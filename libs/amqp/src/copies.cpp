#include "copies.hpp"

#include "names.hpp"

#include "coursegate/log/log.hpp"

#include <algorithm>
#include <charconv>

namespace coursegate::amqp {

namespace {

constexpr std::size_t longest_text = 1'000;

// Written by the broker on its own dead-lettering path; carried along as text they would grow with each
// round.
bool is_brokers_own(const std::string& name)
{
    return name == "x-death" || name == "x-delivery-count" || name.starts_with("x-first-death-") ||
           name.starts_with("x-last-death-");
}

copy base_copy(const message& m, std::string queue)
{
    copy c;
    c.queue = std::move(queue);
    c.body = m.body;
    c.message_id = m.props.message_id;
    c.type = m.props.type;
    c.content_type = m.props.content_type;
    c.correlation_id = m.props.correlation_id;
    for (const auto& [name, value] : m.props.headers)
        if (!is_brokers_own(name))
            c.headers.emplace(name, value);
    // The first publisher: a copy of a copy keeps what the first copy noted.
    if (!m.props.user_id.empty())
        c.headers.emplace(header::origin_user, m.props.user_id);
    return c;
}

void note_failure(copy& c, const std::string& full_queue, int attempt, const failure& f)
{
    const auto error = header_text(f.error);
    c.headers[header::attempts] = std::to_string(attempt);
    c.headers[header::handler] = f.handler;
    c.headers[header::last_error] = error;
    c.headers.emplace(header::first_error, error);
    c.headers.emplace(header::first_failed_at, base::to_iso8601(f.at));
    c.headers.emplace(header::origin_queue, full_queue);
}

} // namespace

int attempt_of(const properties& p)
{
    const auto at = p.headers.find(header::attempts);
    if (at == p.headers.end())
        return 1;
    int done = 0;
    const auto& text = at->second;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), done);
    if (failed != std::errc{} || end != text.data() + text.size() || done < 0 || done > 1'000'000)
        return 1;
    return done + 1;
}

std::chrono::milliseconds pause_after(int attempt)
{
    const auto& delays = retry_delays();
    const auto step =
        std::clamp<std::size_t>(static_cast<std::size_t>(std::max(attempt, 1)), 1, delays.size());
    return delays[step - 1];
}

copy retry_copy(const message& m, const std::string& full_queue, std::chrono::milliseconds delay, int attempt,
    const failure& f)
{
    auto c = base_copy(m, retry_queue(full_queue, delay));
    note_failure(c, full_queue, attempt, f);
    return c;
}

copy dead_copy(
    const message& m, const std::string& full_queue, const std::string& reason, int attempt, const failure& f)
{
    auto c = base_copy(m, dead_queue(full_queue));
    note_failure(c, full_queue, attempt, f);
    c.headers[header::reason] = header_text(reason);
    return c;
}

copy fresh_copy(const message& m, const std::string& to_queue)
{
    auto c = base_copy(m, to_queue);
    for (const auto* const name : {header::attempts, header::handler, header::reason, header::first_error,
             header::last_error, header::first_failed_at})
        c.headers.erase(name);
    return c;
}

std::string header_text(std::string_view s)
{
    const auto clean = log::without_secrets(s); // headers are shown to people, as log lines are
    std::string out = clean.substr(0, longest_text);
    if (out.size() < clean.size()) {
        // Not in the middle of a UTF-8 sequence.
        while (!out.empty() && (static_cast<unsigned char>(out.back()) & 0xC0U) == 0x80U)
            out.pop_back();
        if (!out.empty() && (static_cast<unsigned char>(out.back()) & 0x80U) != 0)
            out.pop_back();
        out += "…";
    }
    std::replace_if(
        out.begin(), out.end(), [](char c) { return c == '\n' || c == '\r' || c == '\t' || c == '\0'; }, ' ');
    return out;
}

} // namespace coursegate::amqp
