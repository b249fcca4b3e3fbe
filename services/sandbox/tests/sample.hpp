// The sample course and the recorded answers, for tests.
#pragma once

#include "coursegate/testkit/run.hpp"
#include "domain/world.hpp"
#include "handlers/embedded.hpp"

#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

namespace coursegate::sandbox {

inline sample sample_data()
{
    return {embedded("course/247644.tsv"), embedded("course/recorded-row.tsv")};
}

// A real answer of GET /api/course-grades?user=…&course=247644, one row; see README.md.
inline std::string recorded_answer()
{
    std::ifstream in("services/sandbox/tests/data/recorded-row.json");
    if (!in)
        throw std::runtime_error("run the tests from the project's folder");
    std::string out{std::istreambuf_iterator<char>(in), {}};
    while (!out.empty() && out.back() == '\n')
        out.pop_back();
    return out;
}

inline constexpr std::int64_t first_lesson = 1859688;  // one choice step, 7690194
inline constexpr std::int64_t twelve_steps = 1855854;  // 12 steps
inline constexpr std::int64_t theory_lesson = 1852228; // one text step, 7668629
inline constexpr std::int64_t review_lesson = 2071929; // one reviewed step, 8811272

} // namespace coursegate::sandbox
