#include "coursegate/db/transaction.hpp"

#include "connection.hpp"
#include "coursegate/base/encoding.hpp"
#include "coursegate/log/log.hpp"
#include "faults.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <limits>

namespace coursegate::db {

namespace {

constexpr statement send_notify{"db.notify", "select pg_notify($1, $2)"};

// ---- writing
// -------------------------------------------------------------------------------------------------

// One element of an array as PostgreSQL reads it; always quoted, so that NULL, spaces and commas are plain
// text.
void append_quoted(std::string& out, std::string_view text)
{
    out += '"';
    for (const char c : text) {
        if (c == '"' || c == '\\')
            out += '\\';
        out += c;
    }
    out += '"';
}

template <class Range, class Append>
std::string array_text(const Range& all, Append append)
{
    std::string out = "{";
    bool first = true;
    for (const auto& one : all) {
        if (!first)
            out += ',';
        first = false;
        append(out, one);
    }
    return out + "}";
}

std::string time_text(base::time_point t)
{
    if (t == base::time_point::max())
        return "infinity";
    if (t == base::time_point::min())
        return "-infinity";
    return base::to_iso8601(t);
}

std::string hex_text(std::string_view raw)
{
    return "\\x" + base::to_hex(raw);
}

// ---- reading
// -------------------------------------------------------------------------------------------------

[[noreturn]] void misfit(const char* column, std::string_view type, std::string_view text)
{
    throw std::logic_error(
        fmt::format("column {} does not hold a {}: '{}'", column, type, text.substr(0, 80)));
}

std::string_view field_text(const pqxx::row& row, const char* column)
{
    try {
        const pqxx::field f = row[column];
        if (f.is_null())
            throw std::logic_error(fmt::format("column {} is NULL", column));
        return {f.c_str(), f.size()};
    }
    catch (const pqxx::argument_error&) {
        throw std::logic_error(fmt::format("the result has no column {}", column));
    }
}

template <class N>
N number(std::string_view text, const char* column, std::string_view type)
{
    N out{};
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (code != std::errc() || end != text.data() + text.size())
        misfit(column, type, text);
    return out;
}

// Elements of a one-dimensional array in PostgreSQL's text form.
std::vector<std::string> array_elements(std::string_view text, const char* column, std::string_view type)
{
    std::vector<std::string> out;
    if (text.size() < 2 || text.front() != '{' || text.back() != '}')
        misfit(column, type, text);
    if (text == "{}")
        return out;
    std::size_t at = 1;
    while (at < text.size()) {
        std::string element;
        const bool quoted = text[at] == '"';
        if (quoted) {
            for (++at; at < text.size() && text[at] != '"'; ++at) {
                if (text[at] == '\\')
                    ++at;
                if (at < text.size())
                    element += text[at];
            }
            ++at; // the closing quote
        }
        else
            while (at < text.size() && text[at] != ',' && text[at] != '}')
                element += text[at++];
        if (at >= text.size() || (text[at] != ',' && text[at] != '}') ||
            (!quoted && (element == "NULL" || element.empty())))
            misfit(column, type, text);
        out.push_back(std::move(element));
        ++at; // the comma or the closing brace
    }
    return out;
}

} // namespace

param::param(double v)
{
    if (std::isnan(v))
        text_ = "NaN";
    else if (std::isinf(v))
        text_ = v > 0 ? "Infinity" : "-Infinity";
    else
        text_ = fmt::format("{}", v); // shortest text that reads back as the same number
}

param::param(base::time_point v) : text_(time_text(v)) {}

param::param(const std::vector<std::int64_t>& v)
    : text_(array_text(
          v, [](std::string& out, std::int64_t one) { fmt::format_to(std::back_inserter(out), "{}", one); }))
{}

param::param(const std::vector<std::string>& v) : text_(array_text(v, append_quoted)) {}

param::param(const std::vector<base::uuid>& v)
    : text_(array_text(v, [](std::string& out, const base::uuid& one) { out += base::to_string(one); }))
{}

param::param(const std::vector<bool>& v)
    : text_(array_text(v, [](std::string& out, bool one) { out += one ? 't' : 'f'; }))
{}

param bytes(std::string_view raw)
{
    return param(hex_text(raw));
}

param times(const std::vector<std::optional<base::time_point>>& v)
{
    return param(array_text(v, [](std::string& out, const std::optional<base::time_point>& one) {
        if (one)
            append_quoted(out, time_text(*one));
        else
            out += "NULL";
    }));
}

param byte_arrays(const std::vector<std::string>& v)
{
    return param(
        array_text(v, [](std::string& out, const std::string& one) { append_quoted(out, hex_text(one)); }));
}

template <>
std::string get(const pqxx::row& row, const char* column)
{
    return std::string(field_text(row, column));
}

template <>
std::int64_t get(const pqxx::row& row, const char* column)
{
    return number<std::int64_t>(field_text(row, column), column, "bigint");
}

template <>
int get(const pqxx::row& row, const char* column)
{
    return number<int>(field_text(row, column), column, "int");
}

template <>
double get(const pqxx::row& row, const char* column)
{
    const auto text = field_text(row, column);
    if (text == "NaN")
        return std::numeric_limits<double>::quiet_NaN();
    if (text == "Infinity" || text == "-Infinity")
        return text.front() == '-' ? -std::numeric_limits<double>::infinity()
                                   : std::numeric_limits<double>::infinity();
    return number<double>(text, column, "number");
}

template <>
bool get(const pqxx::row& row, const char* column)
{
    const auto text = field_text(row, column);
    if (text != "t" && text != "f")
        misfit(column, "boolean", text);
    return text == "t";
}

template <>
base::uuid get(const pqxx::row& row, const char* column)
{
    const auto text = field_text(row, column);
    const auto id = base::parse_uuid(text);
    if (!id.has_value())
        misfit(column, "uuid", text);
    return *id;
}

template <>
base::time_point get(const pqxx::row& row, const char* column)
{
    const auto text = field_text(row, column);
    if (text == "infinity")
        return base::time_point::max();
    if (text == "-infinity")
        return base::time_point::min();
    // "2026-01-02 03:04:05.678901+00": the session's zone is UTC, so the offset is always that.
    std::string iso(text);
    if (iso.size() < 22 || iso[10] != ' ' || !iso.ends_with("+00"))
        misfit(column, "timestamptz", text);
    iso[10] = 'T';
    iso.replace(iso.size() - 3, 3, "Z");
    const auto t = base::parse_iso8601(iso);
    if (!t.has_value())
        misfit(column, "timestamptz", text);
    return *t;
}

template <>
std::vector<std::int64_t> get(const pqxx::row& row, const char* column)
{
    std::vector<std::int64_t> out;
    for (const auto& one : array_elements(field_text(row, column), column, "bigint[]"))
        out.push_back(number<std::int64_t>(one, column, "bigint[]"));
    return out;
}

template <>
std::vector<std::string> get(const pqxx::row& row, const char* column)
{
    return array_elements(field_text(row, column), column, "text[]");
}

std::string get_bytes(const pqxx::row& row, const char* column)
{
    const auto text = field_text(row, column);
    if (!text.starts_with("\\x") || text.size() % 2 != 0)
        misfit(column, "bytea", text);
    std::string out;
    out.reserve(text.size() / 2 - 1);
    for (std::size_t at = 2; at < text.size(); at += 2) {
        unsigned byte = 0;
        const auto [end, code] = std::from_chars(text.data() + at, text.data() + at + 2, byte, 16);
        if (code != std::errc() || end != text.data() + at + 2)
            misfit(column, "bytea", text);
        out += static_cast<char>(byte);
    }
    return out;
}

transaction::~transaction() = default;

pqxx::result transaction::exec_list(const statement& s, const std::vector<param>& params)
{
    if (single_ && statements_++ > 0)
        throw std::logic_error(fmt::format("{}: autocommit takes one statement", s.name));
    for (std::size_t i = 0; i < params.size(); ++i)
        if (params[i].text() && params[i].text()->find('\0') != std::string::npos)
            throw std::invalid_argument(fmt::format("{}: parameter ${} holds a zero byte", s.name, i + 1));
    try {
        return connection_->run(*work_, s, params);
    }
    catch (const pqxx::integrity_constraint_violation& e) {
        auto named = as_constraint_violation(e);
        if (!fault_)
            fault_ = std::make_exception_ptr(named);
        throw named;
    }
    catch (const pqxx::sql_error& e) {
        if (!fault_)
            fault_ = std::current_exception();
        log::warning("statement failed",
            {{"query", s.name}, {"sqlstate", e.sqlstate()}, {"error", first_line(e.what())}});
        throw;
    }
    catch (...) {
        if (!fault_)
            fault_ = std::current_exception();
        throw;
    }
}

void transaction::exec_script(const std::string& sql)
{
    if (single_)
        throw std::logic_error("autocommit takes no script");
    try {
        connection_->script(*work_, sql);
    }
    catch (const pqxx::integrity_constraint_violation& e) {
        auto named = as_constraint_violation(e);
        if (!fault_)
            fault_ = std::make_exception_ptr(named);
        throw named;
    }
    catch (...) {
        if (!fault_)
            fault_ = std::current_exception();
        throw;
    }
}

void transaction::wake_after_commit(std::string topic)
{
    for (const auto& known : topics_)
        if (known == topic)
            return;
    topics_.push_back(std::move(topic));
}

std::shared_ptr<void> transaction::find_attached(std::type_index type) const
{
    return attachments_ == nullptr ? nullptr : attachments_->find(type);
}

void transaction::notify(std::string_view channel, std::string_view payload)
{
    exec(send_notify, channel, payload);
}

} // namespace coursegate::db
