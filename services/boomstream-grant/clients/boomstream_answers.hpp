// Boomstream's answers as values. Its API answers with HTTP 200 whatever happened, writes numbers as strings,
// lists in three shapes, leaves `Status` out at times, and echoes the API key in `RequestURI`: nothing of a
// raw answer may reach a log or a person. Pure functions, so that every ugly answer is a line in a test.
#pragma once

#include "clients/video_provider.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace coursegate::boomstream_grant::answers {

// What the HTTP layer brought.
struct raw
{
    int status = 0;
    std::string_view body;
    std::optional<std::chrono::milliseconds> retry_after;
};

// Words that must not survive into a message.
struct unspeakable
{
    const base::secret& api_key;
    const base::secret& hash; // may be empty
};

// addbuyer and updatebuyer: Success, or no Status but our hash. An answer with another hash is `unknown`.
answer<granted> read_grant(const raw& r, const unspeakable& secrets);

// deletebuyer: "not found" is a success, the aim is that it is not there.
answer<void> read_revoke(const raw& r, const unspeakable& secrets);

// listbuyers: Items as [...], {"Item": [...]} or {"Item": {...}}; entries without Hash are left out.
answer<std::vector<listed_buyer>> read_list(const raw& r, const unspeakable& secrets);

// 9 digits, whether written as "123456789", "123-456-789" or the number 123456789; anything else as it is.
std::string plain_hash(std::string_view text);

} // namespace coursegate::boomstream_grant::answers
