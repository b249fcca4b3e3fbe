// A form that a browser sent: application/x-www-form-urlencoded, read strictly.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace coursegate::web_gateway {

// True for "application/x-www-form-urlencoded", in any case, alone or with charset=utf-8.
bool is_form_type(std::string_view content_type);

// A name or a value of such a form. Throws `refused` (invalid_value): an escape that is none, text that is
// not UTF-8 or has a zero byte in it.
std::string decoded_form_text(std::string_view part);

class form
{
public:
    struct limits
    {
        std::size_t bytes;
        std::size_t fields;
    };
    static constexpr limits of_anybody{16 * 1024, 64};
    static constexpr limits of_known{
        1024 * 1024, 1024}; // people who are signed in: a pasted table, a tick for each lesson

    // Throws `refused` (invalid_value): a field twice, an escape that is none, text that is not UTF-8 or has
    // a zero byte in it, more than `most`. The message never repeats a value.
    static form parse(std::string_view body, const limits& most = of_anybody);

    // A field's text. Throws `refused` (missing_field) naming it; an empty one is there.
    const std::string& text(const char* name);
    std::string text_or(const char* name, std::string otherwise);
    // A number above 0. Throws `refused` (missing_field, invalid_value) naming it.
    std::int64_t id(const char* name);

    // What follows `prefix` in the names of the fields that begin with it and say "on": ticked boxes.
    std::vector<std::string> ticked(const std::string& prefix);

    // Throws `refused` (unknown_field) when there is a field that nobody asked for.
    void finish() const;

private:
    std::map<std::string, std::string> fields_;
    std::set<std::string> asked_;
};

} // namespace coursegate::web_gateway
