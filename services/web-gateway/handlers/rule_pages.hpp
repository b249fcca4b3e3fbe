// /admin/courses/{course_id}/rules: which rule opens which lesson, and who would gain by another one before
// it is saved.
#pragma once

#include "handlers/page_words.hpp"

#include <optional>

namespace coursegate::web_gateway {

// GET /admin/courses/{course_id}/rules
async::task<http::response> rules_page(gateway& g, http::request& request, const visitor& who);
// POST /admin/courses/{course_id}/rules: step=look shows who would gain, step=save saves
async::task<http::response> rule_form(gateway& g, http::request& request, const visitor& who);

// A rule in a few words: "when it is passed".
std::string words_of_rule(const page_words& words, const std::string& rule, const std::optional<int>& days);

} // namespace coursegate::web_gateway
