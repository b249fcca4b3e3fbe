#include "coursegate/log/log.hpp"

#include "escape.hpp"
#include "redactor.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <poll.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cmath>
#include <mutex>

namespace coursegate::log {

namespace {

constexpr std::array<std::string_view, 5> level_names{"trace", "debug", "info", "warning", "error"};
constexpr std::size_t longest_text = 8 * 1024; // bytes of one message or field; a log line is no archive

// Standard error, for the threads of this process one line after the other. Nobody may read it any more:
// losing lines is better than stopping the work, so a line waits a second, and the next ones not at all until
// there is room again.
class standard_error
{
public:
    void write(std::string_view line)
    {
        const std::lock_guard lock{mutex_};
        if (broken_off_ && put("\n") == 0)
            return;
        const auto written = put(line);
        broken_off_ = written > 0 && written < line.size();
    }

private:
    // How many bytes went out. Standard error blocks (others may share it, so it is left as it is), but a
    // pipe that poll() calls writable has room for PIPE_BUF bytes.
    std::size_t put(std::string_view text)
    {
        std::size_t written = 0;
        while (written < text.size() && has_room()) {
            const auto next = text.substr(written, PIPE_BUF);
            const auto done = ::write(STDERR_FILENO, next.data(), next.size());
            if (done > 0)
                written += static_cast<std::size_t>(done);
            else if (done < 0 && errno != EINTR && errno != EAGAIN)
                break; // closed: there is nothing to wait for
        }
        return written;
    }

    bool has_room()
    {
        pollfd writable{STDERR_FILENO, POLLOUT, 0};
        int ready = 0;
        do
            ready = ::poll(&writable, 1, stalled_ ? 0 : patience_ms);
        while (ready < 0 && errno == EINTR);
        stalled_ = ready == 0;
        return !stalled_;
    }

    static constexpr int patience_ms = 1'000;

    std::mutex mutex_;
    bool stalled_ = false;
    bool broken_off_ = false; // in the middle of a line
};

void write_to_stderr(std::string_view line)
{
    static auto* const instance = new standard_error; // never destroyed, as the state below
    instance->write(line);
}

struct state
{
    std::atomic<level> lowest{level::info};
    std::atomic<sink> out{&write_to_stderr};
    std::mutex changing;
    std::atomic<std::shared_ptr<const std::string>> service;
    std::atomic<std::shared_ptr<const redactor>> secrets;
};

state& current()
{
    static auto* const instance =
        new state; // never destroyed: the last destructors of the process may still log
    return *instance;
}

std::string shown(const redactor* secrets, std::string_view text)
{
    std::string out =
        secrets != nullptr && secrets->finds_in(text) ? secrets->without_secrets(text) : std::string(text);
    if (out.size() > longest_text) {
        const auto left_out = out.size() - longest_text;
        out.resize(longest_text);
        out += fmt::format("… ({} bytes more)", left_out);
    }
    return out;
}

void append_text(std::string& line, const redactor* secrets, std::string_view text)
{
    line += '"';
    append_escaped(line, shown(secrets, text));
    line += '"';
}

void append_value(std::string& line, const redactor* secrets, const value& v)
{
    if (const auto* flag = std::get_if<bool>(&v.get())) {
        line += *flag ? "true" : "false";
        return;
    }
    if (const auto* text = std::get_if<std::string>(&v.get())) {
        append_text(line, secrets, *text);
        return;
    }
    std::string number;
    if (const auto* whole = std::get_if<std::int64_t>(&v.get()))
        number = fmt::format("{}", *whole);
    else
        number = fmt::format("{}", std::get<double>(v.get()));
    const bool is_json = !std::holds_alternative<double>(v.get()) || std::isfinite(std::get<double>(v.get()));
    if (is_json && (secrets == nullptr || !secrets->finds_in(number)))
        line += number;
    else
        append_text(line, secrets, number);
}

void append_field(std::string& line, const redactor* secrets, const field& f)
{
    line += ",\"";
    append_escaped(line, shown(secrets, f.name));
    // The four names of every line stay unique.
    if (f.name == "time" || f.name == "level" || f.name == "service" || f.name == "message")
        line += '_';
    line += "\":";
    append_value(line, secrets, f.value);
}

std::string opening(level l, const redactor* secrets)
{
    std::string line;
    line.reserve(512);
    line += "{\"time\":\"";
    line += base::to_iso8601(base::now());
    line += "\",\"level\":\"";
    line += to_string(l);
    line += '"';
    if (const auto service = current().service.load()) {
        line += ",\"service\":";
        append_text(line, secrets, *service);
    }
    line += ",\"message\":";
    return line;
}

void write_line(level l, std::string_view message, const std::string* prefix, fields more)
{
    if (!enabled(l))
        return;
    const auto secrets_held = current().secrets.load();
    const redactor* const secrets = secrets_held.get();

    std::string line = opening(l, secrets);
    append_text(line, secrets, message);
    if (prefix != nullptr)
        line += *prefix;
    for (const auto& f : more)
        append_field(line, secrets, f);
    line += '}';

    // Each piece is clean by now, but a logger's fields may be older than the secret, and escaping can build
    // one by accident. What goes out is checked as a whole.
    if (secrets != nullptr && secrets->finds_in(line)) {
        line = secrets->without_secrets(line);
        if (!nlohmann::json::accept(line)) {
            line = opening(l, secrets);
            line += "\"*** (a line that would have shown a secret)\"}";
        }
    }
    line += '\n';
    current().out.load()(line);
}

} // namespace

bool parse_level(std::string_view word, level& out)
{
    for (std::size_t i = 0; i < level_names.size(); ++i) {
        if (word == level_names[i]) {
            out = static_cast<level>(i);
            return true;
        }
    }
    return false;
}

std::string_view to_string(level l)
{
    return level_names.at(static_cast<std::size_t>(l));
}

void set_service(std::string name)
{
    current().service.store(std::make_shared<const std::string>(std::move(name)));
}

void set_level(level l)
{
    current().lowest.store(l, std::memory_order_relaxed);
}

level current_level()
{
    return current().lowest.load(std::memory_order_relaxed);
}

bool enabled(level l)
{
    return l >= current_level();
}

void never_print(const base::secret& s)
{
    const std::lock_guard lock{current().changing};
    const auto before = current().secrets.load();
    auto after = before ? std::make_shared<redactor>(*before) : std::make_shared<redactor>();
    if (after->add(s.expose()))
        current().secrets.store(std::move(after));
}

void flush()
{
    // Nothing is buffered: a line has left the process (or was dropped) when write() returned.
}

std::string without_secrets(std::string_view text)
{
    const auto secrets = current().secrets.load();
    return secrets ? secrets->without_secrets(text) : std::string(text);
}

sink set_sink(sink s)
{
    return current().out.exchange(s == nullptr ? &write_to_stderr : s);
}

logger logger::with(fields more) const
{
    const auto secrets = current().secrets.load();
    auto prefix = prefix_ ? *prefix_ : std::string{};
    for (const auto& f : more)
        append_field(prefix, secrets.get(), f);
    logger out;
    out.prefix_ = std::make_shared<const std::string>(std::move(prefix));
    return out;
}

void logger::write(level l, std::string_view message, fields more) const
{
    write_line(l, message, prefix_.get(), more);
}

void write(level l, std::string_view message, fields more)
{
    write_line(l, message, nullptr, more);
}
void debug(std::string_view message, fields more)
{
    write(level::debug, message, more);
}
void info(std::string_view message, fields more)
{
    write(level::info, message, more);
}
void warning(std::string_view message, fields more)
{
    write(level::warning, message, more);
}
void error(std::string_view message, fields more)
{
    write(level::error, message, more);
}

} // namespace coursegate::log
