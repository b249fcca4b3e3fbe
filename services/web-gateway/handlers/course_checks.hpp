// The keys of a course, tried where they are meant for, and what is wrong with them in words.
#pragma once

#include "clients/boomstream_project.hpp"
#include "clients/stepik_course.hpp"
#include "domain/course_check.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace coursegate::web_gateway {

struct course_checks
{
    course_checks(http::client& web, const std::string& stepik_url, const std::string& boomstream_url)
        : stepik(web, stepik_url), boomstream(web, boomstream_url)
    {}

    stepik_course stepik;
    boomstream_project boomstream;
};

struct course_keys_to_try
{
    stepik_application stepik;
    std::optional<base::secret> boomstream_api_key{};
    std::optional<std::string> subscription{};
};

struct tried_keys
{
    std::vector<course_fault> faults;
    std::string title;             // of the course, as Stepik has it
    std::string subscription_kind; // "group", "single"; empty: unknown
};

// Up to four calls that only read; a crash leaves nothing anywhere.
async::task<tried_keys> try_keys(course_checks& checks, course_keys_to_try keys);

// What Boomstream lists of these subscriptions; those that there was no time for are left out.
async::task<std::map<std::string, subscription_view>> look_into(
    course_checks& checks, base::secret api_key, std::set<std::string> subscriptions);

// A text of the catalogue.
std::string_view sentence_of(course_fault f);

} // namespace coursegate::web_gateway
