#include "coursegate/http/sse.hpp"

#include <algorithm>

namespace coursegate::http {

namespace {

void add_line(std::string& out, std::string_view name, std::string_view value)
{
    out += name;
    out += ": ";
    for (const char c : value)
        out += c == '\r' || c == '\n' || c == '\0' ? ' ' : c;
    out += '\n';
}

} // namespace

std::string format_sse(const sse_event& e)
{
    std::string out;
    out.reserve(e.id.size() + e.event.size() + e.data.size() + 32);
    if (!e.id.empty())
        add_line(out, "id", e.id);
    if (!e.event.empty())
        add_line(out, "event", e.event);
    std::string_view rest = e.data;
    for (;;) {
        const auto end = rest.find_first_of("\r\n");
        out += "data: ";
        out += rest.substr(0, end);
        out += '\n';
        if (end == std::string_view::npos)
            break;
        rest.remove_prefix(rest.substr(end, 2) == "\r\n" ? end + 2 : end + 1);
    }
    out += '\n';
    return out;
}

std::string sse_comment(std::string_view text)
{
    std::string out;
    add_line(out, "", text);
    out += '\n';
    return out;
}

bool sse_parser::feed(std::string_view bytes, const std::function<bool(const sse_event&)>& on_event)
{
    while (!bytes.empty()) {
        if (after_cr_) {
            after_cr_ = false;
            if (bytes.front() == '\n') {
                bytes.remove_prefix(1);
                continue;
            }
        }
        const auto end = bytes.find_first_of("\r\n");
        const auto part = bytes.substr(0, end);
        if (!line_too_long_ && line_.size() + part.size() > most_) {
            line_too_long_ = true;
            line_.clear();
        }
        if (end == std::string_view::npos) {
            if (!line_too_long_)
                line_ += part;
            return true;
        }
        after_cr_ = bytes[end] == '\r';
        bytes.remove_prefix(end + 1);
        if (line_too_long_) {
            line_too_long_ = false;
            too_long_ = true;
            continue;
        }
        bool goes_on = true;
        if (line_.empty())
            goes_on = take_line(part, on_event);
        else {
            line_ += part;
            const auto whole = std::move(line_);
            line_.clear();
            goes_on = take_line(whole, on_event);
        }
        if (!goes_on)
            return false;
    }
    return true;
}

bool sse_parser::take_line(std::string_view line, const std::function<bool(const sse_event&)>& on_event)
{
    if (at_start_ && line.substr(0, 3) == "\xEF\xBB\xBF")
        line.remove_prefix(3);
    at_start_ = false;

    if (line.empty()) {
        auto e = std::move(current_);
        const bool is_event = has_data_ && !too_long_;
        dropped_ += too_long_ ? 1 : 0;
        current_ = {};
        has_data_ = false;
        too_long_ = false;
        if (!is_event)
            return true;
        e.id = last_id_;
        return on_event(e);
    }
    const auto colon = line.find(':');
    if (colon == 0)
        return true; // a comment
    const auto name = line.substr(0, colon);
    auto value = colon == std::string_view::npos ? std::string_view{} : line.substr(colon + 1);
    if (!value.empty() && value.front() == ' ')
        value.remove_prefix(1);
    if (name == "id" && value.find('\0') == std::string_view::npos)
        last_id_ = value;
    else if (name == "event")
        current_.event = value;
    else if (name == "data") {
        if (current_.data.size() + value.size() + 1 > most_)
            too_long_ = true;
        if (too_long_)
            current_.data.clear();
        else {
            if (has_data_)
                current_.data += '\n';
            current_.data += value;
        }
        has_data_ = true;
    }
    return true;
}

} // namespace coursegate::http
