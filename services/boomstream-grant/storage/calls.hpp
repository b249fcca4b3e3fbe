// Calls to Boomstream as rows: claimed before they go out, settled when their outcome is known.
//
//   claim    buyers.asked_until = now() + deadline + 10 s, committed before the call. Until then nobody else
//            touches the (student, subscription); an index allows one call in flight for it.
//   settle   one transaction: what the buyer is now, what becomes of the grants that wait for it, their
//   events. unknown  a crash, a lost answer: nobody can tell what Boomstream did. Its list tells. Before
//   asked_until has
//            passed the request may still be running there: an early list (read_from) can only confirm an
//            addbuyer. After it, what the list does not have is not there. See take_unknown().
//
// Crash before the claim's commit: nothing happened. After it: asked_until passes, and the list is read.
// After the call, before the settling commit: the same. Settling twice changes nothing the second time,
// because it asks for the flight it belongs to.
#pragma once

#include "clients/video_provider.hpp"
#include "coursegate/base/keyring.hpp"
#include "coursegate/db/pool.hpp"
#include "storage/books.hpp"
#include "storage/confirmations.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace coursegate::boomstream_grant {

enum class call_kind
{
    grant,
    extend,
    revoke,
};
std::string_view to_string(call_kind k);

struct call
{
    base::uuid buyer_id{};
    int flight = 0;
    call_kind kind = call_kind::grant;
    base::uuid user_id{};
    std::int64_t course_id = 0;
    lane way = lane::fresh;
    bool replaces =
        false;   // some grant of this (student, subscription) is confirmed already: a rotation or a repair
    access what; // for a revoke only key, subscription and hash count
};

struct call_result
{
    call made;
    std::optional<refusal> refused;          // nullopt: it succeeded
    std::optional<base::time_point> ends_at; // as Boomstream answered
};

// Opens a course's key. Empty: the author gave none, or the box can't be opened; `problem` then says so to
// the author.
base::secret open_key(const base::keyring& keys, const course_row& course, std::string& problem);

// Opens the student's code from accounts' box. errc of libs/base.
base::result<base::secret> open_code(
    const base::keyring& keys, const base::uuid& user_id, std::string_view box);
std::string seal_hash(const base::keyring& keys, const base::uuid& buyer_id, const base::secret& hash);

struct claimed
{
    std::vector<call> calls;
    bool more = false; // something due may be left
};

// Claims up to `limit` calls that are due in this lane. Courses whose key does not work or can't be opened
// are left alone (check_keys says so to the author); students whose row somebody else holds come another
// time.
claimed claim_calls(db::transaction& tx, const base::keyring& keys, const std::vector<course_row>& courses,
    lane way, int limit, std::chrono::milliseconds asked_for);

// Calls of a course that wait for a person are due again: somebody changed its connection.
void retry_waiting(db::transaction& tx, std::int64_t course_id);

// Whether a student is named, or a call due, in this lane.
bool anything_waits(db::transaction& tx, lane way);

struct settling
{
    std::vector<confirmation> confirmed;
    int failed = 0, revoked = 0;
    std::set<std::int64_t> good, bad; // courses whose health was noted
    bool unknown = false;             // some outcome has to be read back
    bool calls_wait = false;          // some call is due again, now or later
};

// Writes down outcomes. Waits for the students' rows where somebody else holds them. Courses in
// `noted_lately` were noted as good a moment ago: every successful call proves the key, and one row for all
// calls would be written too often.
settling settle_calls(
    db::transaction& tx, const std::vector<call_result>& results, const std::set<std::int64_t>& noted_lately);

// --- Unknown outcomes
// -----------------------------------------------------------------------------------------------

struct unknown_call
{
    base::uuid buyer_id{};
    int flight = 0;
    base::uuid user_id{};
    buyer_state state = buyer_state::asked; // asked: was it added? closing: deleted? live: moved its end?
    base::secret hash;                      // empty: its box can't be opened
    base::time_point ends_at{};
    bool certain = false; // asked_until has passed: nothing is under way any more
};

struct unclear
{
    bool calls = false;   // some call's outcome is unknown
    bool courses = false; // some course's key is to be tried again
};
unclear look(db::transaction& tx);

// Subscriptions that have calls of unknown outcome and whose list was not read in the last 5 s.
struct unclear_list
{
    std::int64_t course_id = 0;
    std::string subscription;
    base::secret api_key;
};
std::vector<unclear_list> find_unknown(db::transaction& tx, const base::keyring& keys);

// The calls that one listbuyers resolves; to be called when that call may go out at once, because it starts
// the subscription's 5 s. Empty: somebody else was faster. A crash after it costs these 5 s.
std::vector<unknown_call> take_unknown(
    db::transaction& tx, const base::keyring& keys, const unclear_list& list);

// `there`: for each call, what the list says of it. nullopt: not in it.
struct read_back
{
    unknown_call call;
    std::optional<listed_buyer> there;
};
settling settle_unknown(db::transaction& tx, const std::vector<read_back>& all);

// Whether the list of this subscription may be read now; true starts its 5 s.
bool take_list_slot(db::transaction& tx, const std::string& subscription);

} // namespace coursegate::boomstream_grant
