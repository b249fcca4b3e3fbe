#include "domain/watching.hpp"

#include <algorithm>

namespace coursegate::web_gateway {

const media_part* watchable_part(const trail& t, int part)
{
    if (stage_of(t) != stage::open)
        return nullptr;
    const auto found =
        std::find_if(t.media.begin(), t.media.end(), [&](const media_part& m) { return m.part == part; });
    if (found == t.media.end())
        return nullptr;
    const auto code = subscription_of(t, *found);
    const bool is_granted = code && std::any_of(t.grants.begin(), t.grants.end(), [&](const trail_grant& g) {
        return g.subscription_code == *code && g.state == "confirmed";
    });
    return is_granted ? &*found : nullptr;
}

} // namespace coursegate::web_gateway
