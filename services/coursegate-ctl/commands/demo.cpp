// demo: fills a fresh system with the sandbox's sample course and lets invented students pass lessons; each
// lesson is shown as it travels. Repeatable: each run invents students of its own, and leaves the rest as it
// is.
#include "commands/demo.hpp"

#include "commands/command.hpp"

#include "clients/gateway.hpp"
#include "commands/grant_line.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <atomic>
#include <future>
#include <mutex>
#include <numeric>
#include <thread>

namespace coursegate::ctl {
namespace {

constexpr std::int64_t sample_course = 247644;
constexpr auto patience = std::chrono::seconds(60);
constexpr auto between_passes = std::chrono::milliseconds(400);

struct student
{
    std::int64_t stepik_id = 0;
    std::string user_id;
};

// Polls until `look` gives something; throws call_failed with the sentence otherwise.
template <class F>
auto wait_for(const std::string& what, F look)
{
    const auto ends_at = std::chrono::steady_clock::now() + patience;
    std::string last = "nothing seen yet";
    for (;;) {
        try {
            if (auto found = look())
                return *found;
        }
        catch (const call_failed& e) {
            last = e.what();
        }
        if (std::chrono::steady_clock::now() > ends_at)
            throw call_failed(
                fmt::format("{} did not happen within {} s; last: {}", what, patience.count(), last), 0);
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
}

// Lessons of the course in order, as the gateway knows them once stepik-sync has read the structure.
std::vector<std::int64_t> wait_for_structure(json_api& gateway, names& known)
{
    const auto course = wait_for("reading the course's structure", [&]() -> std::optional<nlohmann::json> {
        auto answer = gateway.get(fmt::format("/v1/courses/{}", sample_course));
        if (answer["modules"].empty())
            return std::nullopt;
        return answer;
    });
    std::vector<std::int64_t> gradable;
    for (const auto& module : course["modules"])
        for (const auto& lesson : module["lessons"]) {
            const auto id = lesson["lesson_id"].get<std::int64_t>();
            known.lessons[id] = lesson["title"].get<std::string>();
            if (lesson["gradable_steps"].get<int>() > 0)
                gradable.push_back(id);
        }
    return gradable;
}

// A video for every lesson, each in a subscription of its own, so that the lock is the provider's.
void attach_videos(json_api& sandbox, json_api& gateway)
{
    const auto listed = sandbox.get("/control/subscriptions");
    auto rows = nlohmann::json::array();
    for (const auto& lesson : listed["lessons"])
        rows.push_back({{"lesson_id", lesson["lesson"]}, {"part", 1}, {"boom_media", lesson["media"]},
            {"subscription_code", lesson["subscription"]}});
    gateway.post(fmt::format("/v1/courses/{}/media", sample_course), {{"rows", rows}});
}

std::vector<student> enrol(json_api& sandbox, json_api& gateway, std::int64_t count, names& known)
{
    std::vector<student> out;
    auto wanted = nlohmann::json::array();
    for (const auto id : new_student_ids(base::now(), count))
        wanted.push_back({{"user", id}}); // names and e-mails follow from the id
    const auto made = sandbox.post("/control/students", {{"course", sample_course}, {"list", wanted}});
    for (const auto& s : made["students"]) {
        const auto user =
            gateway.post("/v1/users", {{"email", s["email"]}, {"stepik_user_id", s["user"]},
                                          {"first_name", s["first_name"]}, {"last_name", s["last_name"]}});
        out.push_back({s["user"].get<std::int64_t>(), user["id"].get<std::string>()});
        known.students[out.back().user_id] =
            s["first_name"].get<std::string>() + " " + s["last_name"].get<std::string>();
    }
    return out;
}

} // namespace

std::vector<std::int64_t> new_student_ids(base::time_point now, std::int64_t count)
{
    const auto first = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
    std::vector<std::int64_t> out(static_cast<std::size_t>(count));
    std::iota(out.begin(), out.end(), first);
    return out;
}

int run_demo(runtime::environment& env, const std::vector<std::string>& words)
{
    const arguments args{words, {"--students", "--passes"}, {}};
    const auto gateway_url = env.url("GATEWAY_URL", "the gateway's API");
    const auto token = env.secret("GATEWAY_TOKEN", "a token of the gateway's API");
    const auto sandbox_url = env.url("SANDBOX_URL", "the sandbox");
    env.finish();
    const auto student_count = args.number("--students", 5, 1);
    const auto passes = args.number("--passes", 10, 1);
    json_api gateway{gateway_url, token};
    json_api sandbox{sandbox_url, {}};

    names known;
    const auto lessons = wait_for_structure(gateway, known);
    fmt::print("course {}: {} lessons, {} of them with tasks\n", sample_course, known.lessons.size(),
        lessons.size());
    attach_videos(sandbox, gateway);
    const auto students = enrol(sandbox, gateway, student_count, known);
    fmt::print("{} students enrolled; they pass {} lessons now\n\n", students.size(), passes);
    std::fflush(stdout);

    // Passes, by (user id, lesson), with the moment they happened; grants are awaited on a thread of their
    // own.
    std::mutex mutex;
    std::map<std::pair<std::string, std::int64_t>, base::time_point> passed_at;
    std::promise<void> listening;
    std::atomic<std::int64_t> confirmed = 0;
    std::atomic<bool> failed = false;
    const auto expected =
        std::min<std::int64_t>(passes, student_count * static_cast<std::int64_t>(lessons.size()));

    const auto since = base::to_iso8601(base::now());
    auto follower = std::async(std::launch::async, [&] {
        json_api stream{gateway_url, token};
        stream.follow("/v1/grants/stream?types=grant_issued,grant_failed&since=" + since, patience,
            [&](const std::string& type, const nlohmann::json& data) {
                const auto key = std::make_pair(
                    data.value("user_id", std::string{}), data.value("lesson_id", std::int64_t{0}));
                const std::lock_guard lock(mutex);
                const auto found = passed_at.find(key);
                if (found == passed_at.end())
                    return true; // a lesson that opened with another one
                if (type == "grant_failed") {
                    fmt::print("{}: Boomstream said no to lesson {}: {}\n", known.students[key.first],
                        key.second, data.value("reason", std::string{}));
                    failed = true;
                }
                else {
                    fmt::print("{}\n", grant_line(data, known, found->second));
                    ++confirmed;
                }
                std::fflush(stdout);
                return confirmed < expected;
            });
    });

    for (std::int64_t n = 0; n < expected; ++n) {
        const auto& who = students[static_cast<std::size_t>(n % student_count)];
        const auto lesson = lessons[static_cast<std::size_t>(n / student_count)];
        {
            const std::lock_guard lock(mutex);
            const auto answer = sandbox.post(
                "/control/pass", {{"course", sample_course}, {"user", who.stepik_id}, {"lesson", lesson}});
            const auto at = base::parse_iso8601(answer.value("at", std::string{}));
            passed_at[{who.user_id, lesson}] = at.has_value() ? *at : base::now();
        }
        std::this_thread::sleep_for(between_passes);
    }
    follower.get();
    if (confirmed < expected) {
        fmt::print(stderr, "coursegate-ctl demo: {} of {} grants confirmed within {} s{}\n", confirmed.load(),
            expected, patience.count(),
            failed ? "; Boomstream refused some, see above" : "; see coursegate-ctl status");
        return 1;
    }
    fmt::print("\n{} lessons passed, {} videos opened\n", expected, confirmed.load());
    return 0;
}

} // namespace coursegate::ctl
