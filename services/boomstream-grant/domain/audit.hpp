// The audit: our buyers compared with Boomstream's list of one subscription.
#pragma once

#include "coursegate/base/secret.hpp"
#include "domain/types.hpp"

#include <optional>
#include <string>
#include <vector>

namespace coursegate::boomstream_grant {

struct our_buyer
{
    base::uuid buyer_id{};
    base::uuid user_id{};
    base::secret hash;
    buyer_state state = buyer_state::live;
    // Reached this state before Boomstream was asked for its list, and no call is on its way: only then a
    // difference means something.
    bool settled = false;
    base::time_point ends_at{}; // when the course's access ends
};

struct listed_buyer
{
    base::secret hash;
    std::string email;
    std::optional<base::time_point> ends_at; // nullopt: never
    std::optional<int> activations_left;     // Boomstream's `Recovery`; nullopt where it says nothing
};

enum class finding_kind
{
    missing,   // ours is live, theirs is not there
    extra,     // theirs is there, ours is not (any more)
    wrong_end, // theirs ends earlier than the course does
    used_up,   // theirs has no activations left: the student can't open it on another device
};
std::string_view to_string(finding_kind k);

struct finding
{
    finding_kind kind = finding_kind::missing;
    std::optional<base::uuid> buyer_id; // ours, where it is ours
    std::optional<base::uuid> user_id;
    std::string email; // of an extra one that is not ours, for the author to recognise
    bool can_repair = false;
    std::string detail; // a sentence; never the hash
};

// An extra buyer is repaired (deleted) only where it is one that we deleted before. Buyers we know nothing of
// may be people the author added by hand or an older system's: they are reported and left alone.
std::vector<finding> compare(const std::vector<our_buyer>& ours, const std::vector<listed_buyer>& theirs);

} // namespace coursegate::boomstream_grant
