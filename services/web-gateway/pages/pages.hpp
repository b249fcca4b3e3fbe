// The site as a reader sees it: templates filled with data, in the reader's language. Templates are Mustache
// (pages/templates), which escapes whatever is put into them; their texts come from the catalogue.
//
// In a template, {{#t}}Hello, {name}{{/t}} is a text of the catalogue with a place that the data fills, and
// the first line {{! title: … }} is the page's title, a text too. {{> lesson}} takes in lesson.part.html.
#pragma once

#include "pages/catalogue.hpp"
#include "pages/files.hpp"

#include "coursegate/base/clock.hpp"
#include "coursegate/http/server.hpp"

#include <nlohmann/json_fwd.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coursegate::web_gateway {

// Who looks at a page.
struct reader
{
    std::string language = "ru";     // "ru", "uk", "en"
    std::string time_zone = "UTC";   // IANA name
    std::optional<std::string> name; // of somebody who is signed in
    std::string csrf;                // for the hidden field of every form
    bool is_staff = false;           // is shown the way to /admin
};

// The language of a stranger: the cookie `lang`, else Accept-Language, else ru.
reader reader_of(const http::request& request);

// Loaded once at start. Lives on the daemon's executor: filling a template is not for several threads at
// once.
class pages
{
public:
    // Throws base::bad_configuration naming the file when one is missing or broken.
    explicit pages(const files& all = built_in_files());
    ~pages();
    pages(const pages&) = delete;
    pages& operator=(const pages&) = delete;

    // templates/<page>.html inside layout.html. `data` may say `here`, where a change of language leads back
    // to (a local path; left out: "/"), and `wide` with `sections` (handlers/staff.hpp). Throws
    // std::logic_error when there is no such page.
    http::response show(
        std::string_view page, const nlohmann::json& data, const reader& who, int status = 200) const;

    // templates/<part>.part.html alone, for a page that moves by itself.
    std::string part(std::string_view part, const nlohmann::json& data, const reader& who) const;

    // What went wrong, in the reader's words: 400, 403, 404, 405, 422, 429, 503, and 500 for everything else.
    http::response problem(int status, const reader& who) const;

    // From the catalogue; the second in the form that `n` takes, as {n}.
    std::string text(std::string_view language, std::string_view msgid, const values& with = {}) const
    {
        return texts_.text(language, msgid, with);
    }
    std::string text(std::string_view language, std::string_view one, std::string_view many, std::int64_t n,
        const values& with = {}) const
    {
        return texts_.text(language, one, many, n, with);
    }

    // "5 January at 14:03" in the reader's zone and words; the day is left out today, the year this year.
    std::string moment(base::time_point t, base::time_point now, const reader& who) const;
    // "5 January 2027"
    std::string day(base::time_point t, const reader& who) const;
    // "just now", "3 minutes ago", later the moment.
    std::string ago(base::time_point t, base::time_point now, const reader& who) const;

    // "/assets/<hash>.site.css": the name changes with the content, so it may be kept for ever.
    const std::string& asset(std::string_view name) const;
    std::optional<http::response> find_asset(const std::string& hashed_name) const;

private:
    struct templates;

    catalogue texts_;
    std::unique_ptr<templates> templates_;
    std::map<std::string, std::string, std::less<>> asset_paths_; // site.css -> /assets/<hash>.site.css
    std::map<std::string, std::string_view, std::less<>> asset_content_; // <hash>.site.css -> the file
};

} // namespace coursegate::web_gateway
