// The words of "why is it locked", for the student: one sentence and one action, in ru, uk or en.
#pragma once

#include "domain/trail.hpp"

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coursegate::web_gateway {

struct student_answer
{
    std::string sentence;
    std::string action;
    std::optional<std::string> link{}; // where to do it, when that is a page
};

// How a day is written; in the reader's way where that is known, else "2026-01-05".
using day_words = std::function<std::string(base::time_point)>;

student_answer tell_student(const trail& t, stage s, std::string_view language, const day_words& day = {});

// The first of ru, uk, en that `accept_language` (RFC 9110) prefers; nullopt when it wants none of them.
std::optional<std::string> preferred_language(std::string_view accept_language);

// Each text in three languages, for tests of completeness.
struct text
{
    std::string_view key;
    std::array<std::string_view, 3> in; // ru, uk, en
};
const std::vector<text>& all_texts();

} // namespace coursegate::web_gateway
