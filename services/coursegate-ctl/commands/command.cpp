#include "commands/command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace coursegate::ctl {

arguments::arguments(
    std::vector<std::string> words, std::vector<std::string> valued, std::vector<std::string> switches)
{
    for (std::size_t i = 0; i < words.size(); ++i) {
        const auto& word = words[i];
        if (!word.starts_with("--")) {
            positional_.push_back(word);
        }
        else if (std::find(switches.begin(), switches.end(), word) != switches.end()) {
            flags_.emplace_back(word, "");
        }
        else if (std::find(valued.begin(), valued.end(), word) != valued.end()) {
            if (i + 1 == words.size())
                throw usage_error(fmt::format("{} needs a value", word));
            flags_.emplace_back(word, words[++i]);
        }
        else {
            throw usage_error(fmt::format("unknown option {}", word));
        }
    }
}

std::string arguments::value(const std::string& flag, const std::string& otherwise) const
{
    for (const auto& [name, text] : flags_)
        if (name == flag)
            return text;
    return otherwise;
}

std::vector<std::string> arguments::values(const std::string& flag) const
{
    std::vector<std::string> out;
    for (const auto& [name, text] : flags_)
        if (name == flag)
            out.push_back(text);
    return out;
}

std::int64_t arguments::number(const std::string& flag, std::int64_t otherwise, std::int64_t least) const
{
    if (!has(flag))
        return otherwise;
    const auto text = value(flag);
    std::int64_t out = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (fault != std::errc{} || end != text.data() + text.size())
        throw usage_error(fmt::format("{} takes a whole number, not '{}'", flag, text));
    if (out < least)
        throw usage_error(fmt::format("{} is at least {}, not {}", flag, least, out));
    return out;
}

bool arguments::has(const std::string& flag) const
{
    return std::any_of(flags_.begin(), flags_.end(), [&](const auto& f) { return f.first == flag; });
}

const std::vector<command>& all_commands()
{
    static const std::vector<command> table{
        {"migrate", "migrate", "bring database, roles and broker topology up to date; safe to repeat",
            run_migrate},
        {"definitions", "definitions",
            "print the broker's definitions file: one user per daemon, least rights", run_definitions},
        {"status", "status [--json]",
            "grants, queues, parked messages, outboxes, course and provider health; exit 3 when something is "
            "wrong",
            run_status},
        {"ready", "ready", "ask the daemon on this host (ADMIN_PORT) whether it is ready: exit 0 or 1",
            run_ready},
        {"admin", "admin --email EMAIL",
            "make somebody an administrator of the site, and a user where he is none; safe to repeat",
            run_admin},
        {"why", "why USER LESSON [--course ID] [--lang ru|uk|en] [--json]",
            "why a lesson is open or locked for a student", run_why},
        {"dead",
            "dead list | dead show QUEUE [--id ID]… [--limit N] | dead redrive QUEUE [--id ID]… [--limit N] "
            "[--yes]",
            "parked messages: count, read, push back (says what it will do first)", run_dead},
        {"watch", "watch [--course ID] [--count N] [--seconds N]",
            "grants as they flow, with the time each step took", run_watch},
        {"demo", "demo [--students N] [--passes N]",
            "fill a fresh system with the sandbox's sample course and let students pass lessons", run_demo},
    };
    return table;
}

} // namespace coursegate::ctl
