#include "coursegate/base/trace.hpp"

#include "coursegate/base/encoding.hpp"

#include <algorithm>

namespace coursegate::base {

namespace {

constexpr std::size_t length = 55;

bool is_hex(std::string_view digits)
{
    return std::all_of(digits.begin(), digits.end(),
        [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_zero(std::string_view digits)
{
    return digits.find_first_not_of('0') == std::string_view::npos;
}

} // namespace

std::string new_traceparent()
{
    return "00-" + to_hex(random_bytes(16)) + "-" + to_hex(random_bytes(8)) + "-01";
}

std::string trace_id_of(std::string_view traceparent)
{
    if (traceparent.size() != length || !traceparent.starts_with("00-") || traceparent[35] != '-' ||
        traceparent[52] != '-')
        return {};
    const auto trace = traceparent.substr(3, 32);
    const auto span = traceparent.substr(36, 16);
    if (!is_hex(trace) || !is_hex(span) || !is_hex(traceparent.substr(53)) || is_zero(trace) || is_zero(span))
        return {};
    return std::string(trace);
}

} // namespace coursegate::base
