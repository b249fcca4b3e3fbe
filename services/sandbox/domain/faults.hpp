// What goes wrong on purpose: a rule hits a share of the calls or the next so many, of one target, below a
// path. Decisions come from a seeded generator, so a run can be repeated.
#pragma once

#include "domain/random.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coursegate::sandbox {

enum class target
{
    stepik,
    boomstream,
};
constexpr std::array targets{target::stepik, target::boomstream};
std::string_view to_string(target t);
std::optional<target> parse_target(std::string_view word);

enum class fault_kind
{
    latency, // answers late, but as always
    status_401,
    status_403,
    status_404,
    status_429, // with Retry-After
    status_500,
    bad_gateway_html, // 502 with an HTML body
    timeout_before,   // no answer, nothing done
    timeout_after,    // done, but no answer
    drop,             // connection closed before an answer, nothing done
    drop_after,       // done, then connection closed
    truncated,        // done, the answer breaks off in the middle
    failed_200,       // Boomstream: HTTP 200 with Status Failed, nothing done
    empty_body,       // done, HTTP 200 with an empty body
};
std::string_view to_string(fault_kind k);
std::optional<fault_kind> parse_fault_kind(std::string_view word);
bool done_before(fault_kind k); // does the call take effect before this fault shows?

struct fault_rule
{
    int id = 0;
    sandbox::target target = sandbox::target::stepik;
    fault_kind kind = fault_kind::latency;
    double share = 1.0;                 // of the calls it applies to
    std::optional<std::int64_t> count;  // so many hits, then the rule is gone; empty: no end
    std::string path;                   // prefix, "/api/ppv/addbuyer"; empty: every call of the target
    std::optional<int> millis;          // of latency (default 1000) and timeouts (default 15000)
    int retry_after = 1;                // seconds, of status_429
    std::optional<bool> effect;         // overrides done_before(kind)
    std::optional<std::string> message; // of failed_200; "" leaves it out; not given: "Temporary error"
    std::int64_t hits = 0;
};

class fault_plan
{
public:
    explicit fault_plan(std::uint64_t seed = 1) : random_(seed) {}

    int add(fault_rule r);           // gives it an id
    std::vector<fault_rule> clear(); // all there were, those that are used up as well: what bit how often
    bool remove(int id);
    void reseed(std::uint64_t seed) { random_ = seeded_random(seed); }
    const std::vector<fault_rule>& rules() const { return rules_; }

    struct decision
    {
        int latency_ms = 0;              // the sum of all latency rules that hit
        std::optional<fault_rule> fault; // the first other rule that hit
    };
    decision decide(target t, std::string_view path);

private:
    std::vector<fault_rule> rules_;
    std::vector<fault_rule> used_up_;
    seeded_random random_;
    int last_id_ = 0;
};

} // namespace coursegate::sandbox
