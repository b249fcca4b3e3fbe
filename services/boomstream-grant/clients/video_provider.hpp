// What Coursegate needs of whoever serves the videos. Boomstream is the one behind it today; a provider with
// signed links would do everything in playback_link and answer `unsupported` elsewhere.
#pragma once

#include "coursegate/async/task.hpp"
#include "coursegate/base/clock.hpp"
#include "coursegate/base/secret.hpp"
#include "domain/audit.hpp"

#include <boost/assert/source_location.hpp>
#include <boost/system/result.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace coursegate::boomstream_grant {

// How a call ended that did not succeed. The first three are surely without effect; after `unknown` nobody
// can tell.
enum class outcome
{
    not_sent = 1,  // no connection, or our deadline ran out while waiting for one
    circuit_open,  // not sent: the host failed too often lately
    busy,          // "too many requests": come back after `wait`
    rejected,      // the provider said no and why
    misconfigured, // the key is wrong: no call of this course can succeed
    unknown,       // sent, and no answer that can be believed: read back before doing anything again
};
std::string_view to_string(outcome o);

struct refusal
{
    outcome code = outcome::unknown;
    std::string message; // for people; key and hash are cut out of it
    std::optional<std::chrono::milliseconds> wait;
    bool needs_person = false; // rejected, and repeating it can't help before somebody has changed something
};
[[noreturn]] void throw_exception_from_error(const refusal& r, const boost::source_location&);

template <class T>
using answer = boost::system::result<T, refusal>;

struct access
{
    base::secret api_key; // the author's project
    std::string subscription;
    std::string media; // any video of the subscription
    std::string email;
    base::secret hash; // the student's code: the bearer secret that opens the video
    base::time_point ends_at{};
};

struct granted
{
    std::optional<base::time_point> ends_at; // as the provider says; nullopt: it says nothing, or never
};

class video_provider
{
public:
    virtual ~video_provider() = default;

    // Makes the student a buyer. Repeating it with the same hash changes nothing. A crash of ours between the
    // request and reading the answer leaves the buyer in state `asked`: after asked_until its outcome is read
    // back with list().
    virtual async::task<answer<granted>> grant(access a) = 0;

    // Moves the end of an existing buyer's access. Repeating it changes nothing.
    virtual async::task<answer<granted>> extend(access a) = 0;

    // Deletes the buyer; one that is not there is a success. A crash as in grant().
    virtual async::task<answer<void>> revoke(
        base::secret api_key, std::string subscription, base::secret hash) = 0;

    // Everybody in a subscription. Changes nothing, so every failure is harmless.
    virtual async::task<answer<std::vector<listed_buyer>>> list(
        base::secret api_key, std::string subscription) = 0;

    // A link that opens the video for whoever has it: made when it is clicked, never stored, never logged.
    virtual base::secret playback_link(const std::string& media, const base::secret& hash) const = 0;

    // "closed", "open", "trial".
    virtual std::string circuit() const = 0;
};

} // namespace coursegate::boomstream_grant
