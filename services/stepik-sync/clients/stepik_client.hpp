// Stepik's API, as far as Coursegate reads it. Every call goes through the shared budget, carries the
// course's own application token, and is tried up to three times where that can help: all of them are reads,
// so a try whose outcome is unknown may simply be made again.
//
// Errors of every call: those of stepik_errc. Exceptions: base::dependency_down from the budget.
#pragma once

#include "clients/answers.hpp"
#include "clients/call_budget.hpp"
#include "clients/stepik_error.hpp"
#include "coursegate/async/signal.hpp"
#include "coursegate/async/task.hpp"
#include "coursegate/base/secret.hpp"
#include "coursegate/http/client.hpp"

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace coursegate::stepik_sync {

// The author's Stepik application, by which a course is read.
struct application
{
    std::int64_t course_id = 0;
    std::string client_id;
    base::secret client_secret;
};

// A page of grades with what keeps it alive. `permit` is the right to a call in flight: whoever drops the
// answer lets the next call begin.
struct grades_answer
{
    std::unique_ptr<std::string> body; // on the heap: rows point into it
    grades_page page;
    std::chrono::steady_clock::time_point last_byte_at{};
    call_permit permit;
};

// Objects asked for by id. Single objects that Stepik can't give ("happens for certain steps") are named, not
// fatal.
template <class T>
struct objects
{
    std::vector<T> items;
    std::set<std::int64_t> missing;
};

class stepik_client
{
public:
    struct settings
    {
        std::string url = "https://stepik.org";
        std::chrono::milliseconds deadline{30'000};        // one try; a page is 1.2 MB and may be slow
        std::size_t max_response_bytes = 16 * 1024 * 1024; // more than ten times a page
    };

    // How the HTTP client has to be for this: its circuit must bear the search for one broken object in a
    // batch of a hundred, which is up to eleven errors in a row.
    static http::client_settings web_settings();

    // `web` and `budget` must outlive the client. Used on one executor.
    stepik_client(async::executor ex, http::client& web, call_budget& budget, settings s);
    ~stepik_client();

    // GET /api/course-grades?course=…&is_teacher=false&page=…
    async::task<base::result<grades_answer>> grades_page(const application& app, int page);
    // The row of one student; no row is an empty page. Urgent lane.
    async::task<base::result<grades_answer>> grades_of(const application& app, std::int64_t user);

    // not_found also where Stepik does not show the course to the application's owner.
    async::task<base::result<course_answer>> course(const application& app);

    // At most 100 ids per call.
    async::task<base::result<objects<section_answer>>> sections(
        const application& app, std::vector<std::int64_t> ids);
    async::task<base::result<objects<unit_answer>>> units(
        const application& app, std::vector<std::int64_t> ids);
    async::task<base::result<objects<lesson_answer>>> lessons(
        const application& app, std::vector<std::int64_t> ids);
    async::task<base::result<objects<step_answer>>> steps(
        const application& app, std::vector<std::int64_t> ids);

private:
    struct token_entry;
    struct raw_answer;
    struct attempt_state;
    struct fresh_token
    {
        base::secret token;
        std::chrono::seconds lifetime{0};
    };

    static base::result<grades_answer> read_grades(raw_answer& raw);
    async::task<base::result<base::secret>> token_for(
        const application& app, lane l, const base::secret& refused_token);
    async::task<base::result<fresh_token>> fetch_token(const application& app, lane l);
    async::task<base::result<raw_answer>> attempt(
        const application& app, const std::string& path, const char* name, lane l, attempt_state& state);

    template <class T>
    async::task<base::result<T>> call(const application& app, std::string path, const char* name, lane l,
        std::function<base::result<T>(raw_answer&)> parse, int tries);

    template <class T>
    async::task<base::result<objects<T>>> by_ids(const application& app, const char* name,
        std::vector<std::int64_t> ids, base::result<list_answer<T>> (*parse)(std::string&));

    async::executor executor_;
    http::client& web_;
    call_budget& budget_;
    settings settings_;
    std::map<std::int64_t, std::shared_ptr<token_entry>> tokens_; // by course
};

} // namespace coursegate::stepik_sync
