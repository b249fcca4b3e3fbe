// Log: one JSON object per line on standard error, with time, level, service, message and fields.
//
//   log::info("grant confirmed", {{"grant_id", id}, {"ms", 12}});
//
// A `logger` carries the fields of what is being worked on (request_id, event_id, trace_id); handlers get one
// in their context and log through it. Secrets never reach the output: base::secret is not a field value, and
// every setting read as a secret is registered with never_print(), which blanks it wherever it turns up.
#pragma once

#include "coursegate/base/clock.hpp"
#include "coursegate/base/secret.hpp"
#include "coursegate/base/uuid.hpp"

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

namespace coursegate::log {

enum class level
{
    trace,
    debug,
    info,
    warning,
    error
};

// "info" etc.; returns false (and changes nothing) on another word.
bool parse_level(std::string_view word, level& out);
std::string_view to_string(level l);

// A field's value: converts from what fields are made of, and from nothing else.
class value
{
public:
    value(bool v) : v_(v) {}
    template <std::integral I>
    requires(!std::same_as<I, bool>) value(I v) : v_(static_cast<std::int64_t>(v)) {}
    template <std::floating_point F>
    value(F v) : v_(static_cast<double>(v))
    {}
    value(std::string_view v) : v_(std::string(v)) {}
    value(const char* v) : v_(std::string(v)) {}
    value(std::string v) : v_(std::move(v)) {}
    value(const base::uuid& v) : v_(base::to_string(v)) {}
    value(base::time_point v) : v_(base::to_iso8601(v)) {}
    value(const base::secret&) = delete;

    using storage = std::variant<bool, std::int64_t, double, std::string>;
    const storage& get() const { return v_; }

private:
    storage v_;
};

struct field
{
    std::string_view name;
    log::value value;
};
using fields = std::initializer_list<field>;

// Process-wide settings. Thread safe; set_level may be called at any time (the admin port does).
void set_service(std::string name);
void set_level(level l);
level current_level();
bool enabled(level l);
void never_print(const base::secret& s); // values shorter than 4 characters are not registered
void flush();

// `text` with every registered secret blanked, for the few places that print without this lib (main's last
// words).
std::string without_secrets(std::string_view text);

// Where lines go; standard error by default. For tests; returns the previous one.
using sink = void (*)(std::string_view line);
sink set_sink(sink s);

// Immutable and cheap to copy; thread safe.
class logger
{
public:
    logger() = default; // no fields of its own
    logger with(fields more) const;

    void write(level l, std::string_view message, fields more = {}) const;
    void debug(std::string_view message, fields more = {}) const { write(level::debug, message, more); }
    void info(std::string_view message, fields more = {}) const { write(level::info, message, more); }
    void warning(std::string_view message, fields more = {}) const { write(level::warning, message, more); }
    void error(std::string_view message, fields more = {}) const { write(level::error, message, more); }

private:
    std::shared_ptr<const std::string> prefix_; // `,"request_id":"…"`, ready to print
};

// Without a context.
void write(level l, std::string_view message, fields more = {});
void debug(std::string_view message, fields more = {});
void info(std::string_view message, fields more = {});
void warning(std::string_view message, fields more = {});
void error(std::string_view message, fields more = {});

} // namespace coursegate::log
