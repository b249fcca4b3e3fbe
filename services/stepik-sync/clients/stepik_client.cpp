#include "clients/stepik_client.hpp"

#include "coursegate/base/backoff.hpp"
#include "coursegate/base/encoding.hpp"
#include "coursegate/log/log.hpp"
#include "coursegate/metrics/metrics.hpp"

#include <algorithm>
#include <deque>

namespace coursegate::stepik_sync {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr int tries_per_call = 3;
constexpr std::size_t ids_per_call = 100; // what Stepik's own clients use; more are refused for their length
constexpr int calls_to_isolate = 24;      // to find the object that a batch fails for
constexpr auto quiet_without_word = 5s;   // a 429 without Retry-After
constexpr auto quiet_for_logins = 60s;    // too many tokens asked for
constexpr auto longest_quiet = 15min;     // whatever Retry-After says
constexpr auto wrong_secret_stands = 10s; // a refused secret is not tried again before
constexpr auto token_deadline = 10s;      // a token is a few bytes
constexpr auto long_enough = 10s;         // a call that took so long is not tried again on the spot

void count_call(const char* name, const char* outcome)
{
    metrics::get_counter("coursegate_stepik_calls_total", "Calls to Stepik by what came of them",
        {{"call", name}, {"outcome", outcome}})
        .increment();
}

std::chrono::milliseconds quiet_time(const http::client_response& r, std::chrono::milliseconds otherwise)
{
    const auto asked = r.retry_after().value_or(otherwise);
    return std::clamp<std::chrono::milliseconds>(asked, 100ms, longest_quiet);
}

base::error with_detail(stepik_errc code, std::string sentence, const http::client_response& r)
{
    const std::string said = error_detail(r.body);
    if (!said.empty())
        sentence += ": " + said;
    return base::fail(code, std::move(sentence));
}

} // namespace

struct stepik_client::token_entry
{
    explicit token_entry(const async::executor& ex) : turn(ex, 1) {}

    async::semaphore turn; // single flight: whoever waits here finds a fresh token
    std::string client_id;
    base::secret client_secret;
    base::secret token;
    clock::time_point refresh_at{};
    std::optional<base::error> refusal; // of the last try
    clock::time_point refused_at{};
    clock::time_point refusal_until{};
};

struct stepik_client::raw_answer
{
    std::string body;
    clock::time_point last_byte_at{};
    call_permit permit;
};

// What a call has learnt from its earlier tries.
struct stepik_client::attempt_state
{
    base::secret refused_token; // 401 with this one
    bool token_renewed = false;
    bool went_out = false; // the last try got as far as Stepik
};

stepik_client::stepik_client(async::executor ex, http::client& web, call_budget& budget, settings s)
    : executor_(std::move(ex)), web_(web), budget_(budget), settings_(std::move(s))
{}

stepik_client::~stepik_client() = default;

http::client_settings stepik_client::web_settings()
{
    http::client_settings s;
    s.circuit_after = 12;
    return s;
}

async::task<base::result<base::secret>> stepik_client::token_for(
    const application& app, lane l, const base::secret& refused_token)
{
    const auto arrived = clock::now();
    auto& slot = tokens_[app.course_id];
    if (!slot)
        slot = std::make_shared<token_entry>(executor_);
    const auto entry = slot;
    const auto turn = co_await entry->turn.acquire();

    if (entry->client_id != app.client_id || !(entry->client_secret == app.client_secret)) {
        // The author entered others: nothing that was learnt about the old ones holds.
        entry->client_id = app.client_id;
        entry->client_secret = app.client_secret;
        log::never_print(app.client_secret);
        entry->token = {};
        entry->refusal.reset();
    }
    const bool is_refused = !refused_token.empty() && entry->token == refused_token;
    if (!entry->token.empty() && !is_refused && clock::now() < entry->refresh_at)
        co_return entry->token;
    // What became of the try that was under way when we came holds for us, too: a dozen callers that each
    // wait for a token endpoint that hangs would wait for minutes.
    if (entry->refusal && (entry->refused_at >= arrived || clock::now() < entry->refusal_until))
        co_return *entry->refusal;

    entry->token = {};
    entry->refusal.reset();
    const auto asked_at = clock::now();
    auto answer = co_await fetch_token(app, l);
    if (!answer.has_value()) {
        entry->refusal = answer.error();
        entry->refused_at = clock::now();
        entry->refusal_until = entry->refused_at;
        if (answer.error().code == stepik_errc::wrong_secret)
            entry->refusal_until += wrong_secret_stands;
        co_return answer.error();
    }
    // Refreshed before it ends, not because it did: a tenth of its life earlier, at most five minutes.
    const clock::duration lifetime = answer->lifetime;
    entry->token = std::move(answer->token);
    entry->refresh_at = asked_at + lifetime - std::min<clock::duration>(5min, lifetime / 10);
    co_return entry->token;
}

async::task<base::result<stepik_client::fresh_token>> stepik_client::fetch_token(
    const application& app, lane l)
{
    auto permit = co_await budget_.enter(l);
    if (!permit.has_value())
        co_return permit.error();
    http::client_request request;
    request.method = "POST";
    request.url = settings_.url + "/oauth2/token/";
    request.headers.set(
        "Authorization", "Basic " + base::to_base64(base::percent_encode(app.client_id) + ":" +
                                                    base::percent_encode(app.client_secret.expose())));
    request.headers.set("Content-Type", "application/x-www-form-urlencoded");
    request.headers.set("Accept", "application/json");
    request.body = "grant_type=client_credentials";
    request.deadline = std::min<std::chrono::milliseconds>(settings_.deadline, token_deadline);
    request.max_response_bytes = 64 * 1024;
    const auto answer = co_await web_.send(std::move(request));
    if (!answer.has_value()) {
        count_call("token", "no_answer");
        co_return base::fail(stepik_errc::unreachable, answer.error().code.message());
    }
    const int status = answer->status;
    if (status == 200) {
        auto parsed = parse_token(answer->body);
        if (!parsed.has_value()) {
            count_call("token", "bad_answer");
            co_return parsed.error();
        }
        count_call("token", "ok");
        fresh_token out;
        out.token = base::secret{std::move(parsed->access_token)};
        out.lifetime = parsed->expires_in;
        log::never_print(out.token);
        co_return out;
    }
    if (status == 429 || status == 497) {
        count_call("token", "rate_limited");
        permit->give_back();
        co_await budget_.pause(quiet_time(*answer, quiet_for_logins));
        co_return base::fail(stepik_errc::rate_limited, "Stepik gives no tokens for a while");
    }
    if (status >= 500) {
        count_call("token", "server_error");
        co_return base::fail(
            stepik_errc::server_error, "the token endpoint answered " + std::to_string(status));
    }
    count_call("token", "refused");
    // Only what OAuth says about the application is about the application: a proxy's 403 is not.
    const std::string said = error_detail(answer->body);
    const bool is_wrong =
        status == 401 || (status == 400 && (said == "invalid_client" || said == "unauthorized_client"));
    co_return with_detail(is_wrong ? stepik_errc::wrong_secret : stepik_errc::refused,
        "the token endpoint answered " + std::to_string(status), *answer);
}

async::task<base::result<stepik_client::raw_answer>> stepik_client::attempt(
    const application& app, const std::string& path, const char* name, lane l, attempt_state& state)
{
    for (;;) {
        state.went_out = false;
        const auto token = co_await token_for(app, l, state.refused_token);
        if (!token.has_value())
            co_return token.error();

        auto permit = co_await budget_.enter(l);
        if (!permit.has_value())
            co_return permit.error();
        state.went_out = true;
        http::client_request request;
        request.url = settings_.url + path;
        request.headers.set("Authorization", "Bearer " + token->expose());
        request.headers.set("Accept", "application/json");
        request.deadline = settings_.deadline;
        request.max_response_bytes = settings_.max_response_bytes;
        auto answer = co_await web_.send(std::move(request));
        if (!answer.has_value()) {
            const bool is_wrong =
                answer.error().code == http::errc::too_large || answer.error().code == http::errc::bad_answer;
            count_call(name, is_wrong ? "bad_answer" : "no_answer");
            co_return base::fail(
                is_wrong ? stepik_errc::bad_answer : stepik_errc::unreachable, answer.error().code.message());
        }
        const int status = answer->status;
        if (status == 200) {
            raw_answer out;
            out.body = std::move(answer->body);
            out.last_byte_at = answer->last_byte_at;
            out.permit = std::move(*permit);
            co_return out;
        }
        const std::string said = std::string(name) + " answered " + std::to_string(status);
        if (status == 401) {
            count_call(name, "unauthorized");
            if (!state.token_renewed) {
                // Tokens are revoked early now and then: once with a new one, then it is a fault.
                state.token_renewed = true;
                state.refused_token = *token;
                continue;
            }
            co_return with_detail(stepik_errc::token_refused, said, *answer);
        }
        if (status == 429) {
            count_call(name, "rate_limited");
            permit->give_back();
            const auto quiet = quiet_time(*answer, quiet_without_word);
            log::warning("Stepik asks for fewer requests",
                {{"course_id", app.course_id}, {"call", name}, {"quiet_ms", quiet.count()}});
            co_await budget_.pause(quiet);
            co_return base::fail(stepik_errc::rate_limited,
                said + ", asking for " + std::to_string(quiet.count() / 1000) + " s of quiet");
        }
        count_call(name, status >= 500 ? "server_error" : "refused");
        if (status >= 500)
            co_return base::fail(stepik_errc::server_error, said); // often a page of HTML
        if (status == 403)
            co_return with_detail(stepik_errc::forbidden, said, *answer);
        if (status == 404)
            co_return with_detail(stepik_errc::not_found, said, *answer);
        co_return with_detail(stepik_errc::refused, said, *answer);
    }
}

template <class T>
async::task<base::result<T>> stepik_client::call(const application& app, std::string path, const char* name,
    lane l, std::function<base::result<T>(raw_answer&)> parse, int tries)
{
    attempt_state state;
    const auto begun = clock::now();
    base::backoff::limits limits;
    limits.first = 400ms;
    limits.longest = 4s;
    base::backoff rest{limits};
    for (int n = 1;; ++n) {
        std::optional<base::error> failure;
        {
            auto answer = co_await attempt(app, path, name, l, state);
            if (answer.has_value()) {
                auto parsed = parse(*answer);
                count_call(name, parsed.has_value() ? "ok" : "bad_answer");
                if (parsed.has_value())
                    co_return parsed;
                failure = parsed.error();
            }
            else
                failure = answer.error();
        } // the permit goes back before the rest
        const bool is_limited =
            failure->code == stepik_errc::rate_limited || failure->code == stepik_errc::busy;
        // Where the budget let nobody through, or the tries took long, the caller asks again later.
        if (n >= tries || !may_pass_by_itself(*failure) || (is_limited && !state.went_out) ||
            clock::now() - begun > long_enough)
            co_return *failure;
        if (!is_limited) // the budget's pause is rest enough
            co_await async::sleep_for(rest.next());
    }
}

base::result<grades_answer> stepik_client::read_grades(raw_answer& raw)
{
    grades_answer out;
    out.body = std::make_unique<std::string>(std::move(raw.body));
    out.last_byte_at = raw.last_byte_at;
    auto parsed = parse_grades(*out.body);
    if (!parsed.has_value())
        return parsed.error();
    out.page = std::move(*parsed);
    out.permit = std::move(raw.permit);
    return out;
}

async::task<base::result<grades_answer>> stepik_client::grades_page(const application& app, int page)
{
    const std::function<base::result<grades_answer>(raw_answer&)> parse = read_grades;
    std::string path = "/api/course-grades?course=" + std::to_string(app.course_id) +
                       "&is_teacher=false&page=" + std::to_string(page);
    co_return co_await call<grades_answer>(
        app, std::move(path), "course-grades", lane::sweep, parse, tries_per_call);
}

async::task<base::result<grades_answer>> stepik_client::grades_of(const application& app, std::int64_t user)
{
    const std::function<base::result<grades_answer>(raw_answer&)> parse = read_grades;
    std::string path =
        "/api/course-grades?course=" + std::to_string(app.course_id) + "&user=" + std::to_string(user);
    co_return co_await call<grades_answer>(
        app, std::move(path), "course-grades-of-user", lane::urgent, parse, tries_per_call);
}

async::task<base::result<course_answer>> stepik_client::course(const application& app)
{
    const std::int64_t id = app.course_id;
    const std::function<base::result<course_answer>(raw_answer&)> parse =
        [id](raw_answer& raw) -> base::result<course_answer> {
        auto parsed = parse_courses(raw.body);
        if (!parsed.has_value())
            return parsed.error();
        for (auto& c : parsed->items)
            if (c.id == id)
                return std::move(c);
        return base::fail(stepik_errc::not_found, "the course is not in the answer");
    };
    std::string path = "/api/courses/" + std::to_string(id);
    auto answer =
        co_await call<course_answer>(app, std::move(path), "courses", lane::structure, parse, tries_per_call);
    if (!answer.has_value() && answer.error().code == stepik_errc::forbidden)
        co_return base::fail(
            stepik_errc::not_found, answer.error().detail); // not shown to us: the same to its author
    co_return answer;
}

template <class T>
async::task<base::result<objects<T>>> stepik_client::by_ids(const application& app, const char* name,
    std::vector<std::int64_t> ids, base::result<list_answer<T>> (*parse)(std::string&))
{
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    objects<T> out;
    out.missing.insert(ids.begin(), ids.end());

    const std::function<base::result<list_answer<T>>(raw_answer&)> parse_body = [parse](raw_answer& raw) {
        return parse(raw.body);
    };

    std::deque<std::vector<std::int64_t>> batches;
    for (std::size_t i = 0; i < ids.size(); i += ids_per_call)
        batches.emplace_back(ids.begin() + static_cast<std::ptrdiff_t>(i),
            ids.begin() + static_cast<std::ptrdiff_t>(std::min(ids.size(), i + ids_per_call)));
    int isolating = 0;
    while (!batches.empty()) {
        const auto batch = std::move(batches.front());
        batches.pop_front();
        std::string query;
        for (const auto id : batch)
            query += (query.empty() ? "?ids%5B%5D=" : "&ids%5B%5D=") + std::to_string(id);

        bool has_next = true;
        for (int page = 1; has_next; ++page) {
            std::string path = "/api/" + std::string(name) + query;
            if (page > 1)
                path += "&page=" + std::to_string(page);
            // Parts of a batch that failed are suspects: what fails again is cut further, not tried again.
            const int tries = isolating == 0 ? tries_per_call : batch.size() > 1 ? 1 : 2;
            auto answer =
                co_await call<list_answer<T>>(app, std::move(path), name, lane::structure, parse_body, tries);
            if (!answer.has_value()) {
                const auto code = answer.error().code;
                const bool is_about_an_object =
                    code == stepik_errc::server_error || code == stepik_errc::forbidden ||
                    code == stepik_errc::not_found || code == stepik_errc::refused;
                if (!is_about_an_object || ++isolating > calls_to_isolate) {
                    // `forbidden` is about the grade book; this is about objects that Stepik shows to nobody
                    // like us.
                    if (code == stepik_errc::forbidden)
                        co_return base::fail(stepik_errc::refused, answer.error().detail);
                    co_return answer.error();
                }
                if (batch.size() > 1) {
                    const auto middle = batch.begin() + static_cast<std::ptrdiff_t>(batch.size() / 2);
                    batches.emplace_front(middle, batch.end());
                    batches.emplace_front(batch.begin(), middle);
                }
                break; // a single one stays missing
            }
            for (auto& item : answer->items)
                if (out.missing.erase(item.id) > 0)
                    out.items.push_back(std::move(item));
            has_next = answer->has_next && page < 50;
        }
    }
    co_return out;
}

async::task<base::result<objects<section_answer>>> stepik_client::sections(
    const application& app, std::vector<std::int64_t> ids)
{
    co_return co_await by_ids<section_answer>(app, "sections", std::move(ids), parse_sections);
}

async::task<base::result<objects<unit_answer>>> stepik_client::units(
    const application& app, std::vector<std::int64_t> ids)
{
    co_return co_await by_ids<unit_answer>(app, "units", std::move(ids), parse_units);
}

async::task<base::result<objects<lesson_answer>>> stepik_client::lessons(
    const application& app, std::vector<std::int64_t> ids)
{
    co_return co_await by_ids<lesson_answer>(app, "lessons", std::move(ids), parse_lessons);
}

async::task<base::result<objects<step_answer>>> stepik_client::steps(
    const application& app, std::vector<std::int64_t> ids)
{
    co_return co_await by_ids<step_answer>(app, "steps", std::move(ids), parse_steps);
}

} // namespace coursegate::stepik_sync
