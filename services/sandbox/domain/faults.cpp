#include "domain/faults.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace coursegate::sandbox {

namespace {

constexpr std::array<std::pair<fault_kind, std::string_view>, 14> kinds{{
    {fault_kind::latency, "latency"},
    {fault_kind::status_401, "status_401"},
    {fault_kind::status_403, "status_403"},
    {fault_kind::status_404, "status_404"},
    {fault_kind::status_429, "status_429"},
    {fault_kind::status_500, "status_500"},
    {fault_kind::bad_gateway_html, "bad_gateway_html"},
    {fault_kind::timeout_before, "timeout_before"},
    {fault_kind::timeout_after, "timeout_after"},
    {fault_kind::drop, "drop"},
    {fault_kind::drop_after, "drop_after"},
    {fault_kind::truncated, "truncated"},
    {fault_kind::failed_200, "failed_200"},
    {fault_kind::empty_body, "empty_body"},
}};

} // namespace

std::string_view to_string(target t)
{
    return t == target::stepik ? "stepik" : "boomstream";
}

std::optional<target> parse_target(std::string_view word)
{
    for (const auto t : targets)
        if (to_string(t) == word)
            return t;
    return std::nullopt;
}

std::string_view to_string(fault_kind k)
{
    for (const auto& [kind, word] : kinds)
        if (kind == k)
            return word;
    return "";
}

std::optional<fault_kind> parse_fault_kind(std::string_view word)
{
    for (const auto& [kind, known] : kinds)
        if (known == word)
            return kind;
    return std::nullopt;
}

bool done_before(fault_kind k)
{
    return k == fault_kind::latency || k == fault_kind::timeout_after || k == fault_kind::drop_after ||
           k == fault_kind::truncated || k == fault_kind::empty_body;
}

int fault_plan::add(fault_rule r)
{
    r.id = ++last_id_;
    rules_.push_back(std::move(r));
    return last_id_;
}

bool fault_plan::remove(int id)
{
    return std::erase_if(rules_, [&](const fault_rule& r) { return r.id == id; }) != 0;
}

std::vector<fault_rule> fault_plan::clear()
{
    auto out = std::exchange(rules_, {});
    std::ranges::move(std::exchange(used_up_, {}), std::back_inserter(out));
    std::ranges::sort(out, {}, &fault_rule::id);
    return out;
}

fault_plan::decision fault_plan::decide(target t, std::string_view path)
{
    decision out;
    bool used_up = false;
    for (auto& r : rules_) {
        if (r.target != t || !path.starts_with(r.path))
            continue;
        // The die is thrown for every rule that applies, hit or not: the sequence then depends on the calls
        // alone.
        const bool hit = random_.share() < r.share;
        if (!hit || (r.kind != fault_kind::latency && out.fault))
            continue;
        ++r.hits;
        if (r.count && --*r.count == 0)
            used_up = true;
        if (r.kind == fault_kind::latency)
            out.latency_ms += r.millis.value_or(1000);
        else
            out.fault = r;
    }
    if (used_up)
        std::erase_if(rules_, [this](const fault_rule& r) {
            const bool is_over = r.count && *r.count <= 0;
            if (is_over)
                used_up_.push_back(r);
            return is_over;
        });
    return out;
}

} // namespace coursegate::sandbox
