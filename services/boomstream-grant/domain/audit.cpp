#include "domain/audit.hpp"

#include "domain/moscow_time.hpp"

#include <stdexcept>
#include <unordered_map>

namespace coursegate::boomstream_grant {

namespace {

// Boomstream keeps whole seconds, and a date without time is widened to the end of its day.
constexpr std::chrono::minutes tolerance{1};

finding about(finding_kind kind, const our_buyer& b, std::string detail, bool can_repair)
{
    finding out;
    out.kind = kind;
    out.buyer_id = b.buyer_id;
    out.user_id = b.user_id;
    out.detail = std::move(detail);
    out.can_repair = can_repair;
    return out;
}

} // namespace

std::string_view to_string(finding_kind k)
{
    switch (k) {
    case finding_kind::missing:
        return "missing";
    case finding_kind::extra:
        return "extra";
    case finding_kind::wrong_end:
        return "wrong_end";
    case finding_kind::used_up:
        return "used_up";
    }
    throw std::logic_error("boomstream-grant: a finding without a word");
}

std::vector<finding> compare(const std::vector<our_buyer>& ours, const std::vector<listed_buyer>& theirs)
{
    std::unordered_multimap<std::string, const our_buyer*> by_hash;
    by_hash.reserve(ours.size());
    for (const auto& b : ours)
        by_hash.emplace(b.hash.expose(), &b);

    std::vector<finding> out;
    std::unordered_map<std::string, int> there;
    there.reserve(theirs.size());
    for (const auto& t : theirs) {
        if (++there[t.hash.expose()] > 1) {
            finding f;
            f.kind = finding_kind::extra;
            f.email = t.email;
            f.detail = "Boomstream lists this buyer more than once.";
            out.push_back(std::move(f));
            continue;
        }
        // A code that was rotated back and forth, or a buyer deleted and made again, has several rows here:
        // any of them that is not gone speaks for it.
        const our_buyer* match = nullptr;
        const auto [first, last] = by_hash.equal_range(t.hash.expose());
        for (auto it = first; it != last; ++it)
            if (!match || match->state == buyer_state::gone || it->second->state == buyer_state::live)
                match = it->second;
        if (!match) {
            finding f;
            f.kind = finding_kind::extra;
            f.email = t.email;
            f.detail = "Boomstream has a buyer that was not added by Coursegate; left alone.";
            out.push_back(std::move(f));
            continue;
        }
        if (match->state == buyer_state::gone) {
            if (match->settled)
                out.push_back(about(
                    finding_kind::extra, *match, "Deleted here, but still in Boomstream's list.", true));
            continue;
        }
        if (match->state != buyer_state::live || !match->settled)
            continue;
        if (t.ends_at && *t.ends_at + tolerance < match->ends_at)
            out.push_back(about(finding_kind::wrong_end, *match,
                "Ends at " + to_moscow(*t.ends_at) + " (Moscow) instead of " + to_moscow(match->ends_at) +
                    ".",
                true));
        if (t.activations_left && *t.activations_left == 0)
            out.push_back(about(finding_kind::used_up, *match,
                "No activations are left: the video does not open on another device.", false));
    }
    for (const auto& b : ours)
        if (b.state == buyer_state::live && b.settled && !there.contains(b.hash.expose()))
            out.push_back(about(finding_kind::missing, b, "Open here, but not in Boomstream's list.", true));
    return out;
}

} // namespace coursegate::boomstream_grant
